"""The shapes of the built-in kinds (Kubernetes 1.37) as a compact table: facts only, no code.

One entry per type; a line that starts with a blank continues it. `Name field:type ...` is a struct, `Name = type` an
alias. A `!` after a struct's name makes it atomic (owned as a whole). Types: `s` string, `n` number, `b` boolean,
`u` any scalar, `any` free-form, `any!` free-form and atomic, `{T}` map, `[T]` atomic list, `[T]=` set,
`[T|key,key="default"]` list merged by keys, anything else a name from this table. Names without a version are of
`core/v1`. After a type `+` says that the field is always written, be it empty, `~` that it is null when missing, `-`
that its zero value is not written. `schema.builtin` reads it.
"""

TABLE = """\
AWSElasticBlockStoreVolumeSource fsType:s- partition:n- readOnly:b- volumeID:s+
Affinity nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAntiAffinity
AppArmorProfile localhostProfile:s type:s+
AttachedVolume devicePath:s+ name:s+
AzureDiskVolumeSource cachingMode:s diskName:s+ diskURI:s+ fsType:s kind:s readOnly:b
AzureFilePersistentVolumeSource readOnly:b- secretName:s+ secretNamespace:s~ shareName:s+
AzureFileVolumeSource readOnly:b- secretName:s+ shareName:s+
CSIPersistentVolumeSource controllerExpandSecretRef:SecretReference
  controllerPublishSecretRef:SecretReference driver:s+ fsType:s- nodeExpandSecretRef:SecretReference
  nodePublishSecretRef:SecretReference nodeStageSecretRef:SecretReference readOnly:b- volumeAttributes:{s}
  volumeHandle:s+
CSIVolumeSource driver:s+ fsType:s nodePublishSecretRef:LocalObjectReference readOnly:b volumeAttributes:{s}
Capabilities add:[s] drop:[s]
CephFSPersistentVolumeSource monitors:[s]+ path:s- readOnly:b- secretFile:s- secretRef:SecretReference
  user:s-
CephFSVolumeSource monitors:[s]+ path:s- readOnly:b- secretFile:s- secretRef:LocalObjectReference user:s-
CinderPersistentVolumeSource fsType:s- readOnly:b- secretRef:SecretReference volumeID:s+
CinderVolumeSource fsType:s- readOnly:b- secretRef:LocalObjectReference volumeID:s+
ClientIPConfig timeoutSeconds:n
ClusterTrustBundleProjection labelSelector:meta.v1.LabelSelector name:s optional:b path:s+ signerName:s
  user:n
ConfigMap apiVersion:s binaryData:{s} data:{s} immutable:b kind:s metadata:meta.v1.ObjectMeta+
ConfigMapEnvSource name:s optional:b
ConfigMapKeySelector! key:s+ name:s optional:b
ConfigMapNodeConfigSource kubeletConfigKey:s+ name:s+ namespace:s+ resourceVersion:s- uid:s-
ConfigMapProjection items:[KeyToPath] name:s optional:b
ConfigMapVolumeSource defaultMode:n defaultUser:n items:[KeyToPath] name:s optional:b
Container args:[s] command:[s] env:[EnvVar|name=""] envFrom:[EnvFromSource] image:s- imagePullPolicy:s-
  lifecycle:Lifecycle livenessProbe:Probe name:s+ ports:[ContainerPort|containerPort=0,protocol="TCP"]
  readinessProbe:Probe resizePolicy:[ContainerResizePolicy] resources:ResourceRequirements+ restartPolicy:s
  restartPolicyRules:[ContainerRestartRule] securityContext:SecurityContext startupProbe:Probe stdin:b-
  stdinOnce:b- terminationMessagePath:s- terminationMessagePolicy:s- tty:b-
  volumeDevices:[VolumeDevice|devicePath=""] volumeMounts:[VolumeMount|mountPath=""] workingDir:s-
ContainerExtendedResourceRequest containerName:s+ requestName:s+ resourceName:s+
ContainerImage names:[s]+ sizeBytes:n-
ContainerPort containerPort:n+ hostIP:s- hostPort:n- name:s- protocol:s-
ContainerResizePolicy resourceName:s+ restartPolicy:s+
ContainerRestartRule action:s- exitCodes:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator:s- values:[n]=
ContainerState running:ContainerStateRunning terminated:ContainerStateTerminated
  waiting:ContainerStateWaiting
ContainerStateRunning startedAt:u
ContainerStateTerminated containerID:s- exitCode:n+ finishedAt:u message:s- reason:s- signal:n- startedAt:u
ContainerStateWaiting message:s- reason:s-
ContainerStatus allocatedResources:{u} allocatedResourcesStatus:[ResourceStatus|name=""] containerID:s-
  image:s+ imageID:s+ lastState:ContainerState+ name:s+ ready:b+ resources:ResourceRequirements
  restartCount:n+ started:b state:ContainerState+ stopSignal:s user:ContainerUser
  volumeMounts:[VolumeMountStatus|mountPath=""]
ContainerUser linux:LinuxContainerUser
DaemonEndpoint Port:n+
DownwardAPIProjection items:[DownwardAPIVolumeFile]
DownwardAPIVolumeFile fieldRef:ObjectFieldSelector mode:n path:s+ resourceFieldRef:ResourceFieldSelector
  user:n
DownwardAPIVolumeSource defaultMode:n defaultUser:n items:[DownwardAPIVolumeFile]
EmptyDirVolumeSource medium:s- mode:n sizeLimit:u
EndpointAddress! hostname:s- ip:s+ nodeName:s targetRef:ObjectReference
EndpointPort! appProtocol:s name:s- port:n+ protocol:s-
EndpointSubset addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[EndpointPort]
Endpoints apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ subsets:[EndpointSubset]
EnvFromSource configMapRef:ConfigMapEnvSource prefix:s- secretRef:SecretEnvSource
EnvVar name:s+ value:s- valueFrom:EnvVarSource
EnvVarSource configMapKeyRef:ConfigMapKeySelector fieldRef:ObjectFieldSelector fileKeyRef:FileKeySelector
  resourceFieldRef:ResourceFieldSelector secretKeyRef:SecretKeySelector
EphemeralContainer args:[s] command:[s] env:[EnvVar|name=""] envFrom:[EnvFromSource] image:s
  imagePullPolicy:s lifecycle:Lifecycle livenessProbe:Probe name:s
  ports:[ContainerPort|containerPort=0,protocol="TCP"] readinessProbe:Probe
  resizePolicy:[ContainerResizePolicy] resources:ResourceRequirements restartPolicy:s
  restartPolicyRules:[ContainerRestartRule] securityContext:SecurityContext startupProbe:Probe stdin:b
  stdinOnce:b targetContainerName:s- terminationMessagePath:s terminationMessagePolicy:s tty:b
  volumeDevices:[VolumeDevice|devicePath=""] volumeMounts:[VolumeMount|mountPath=""] workingDir:s
EphemeralVolumeSource volumeClaimTemplate:PersistentVolumeClaimTemplate
Event action:s- apiVersion:s count:n- eventTime:u firstTimestamp:u involvedObject:ObjectReference+ kind:s
  lastTimestamp:u message:s- metadata:meta.v1.ObjectMeta+ reason:s- related:ObjectReference
  reportingComponent:s+ reportingInstance:s+ series:EventSeries source:EventSource+ type:s-
EventSeries count:n- lastObservedTime:u
EventSource component:s- host:s-
EvictionResponder! name:s+ priority:n~
ExecAction command:[s]
FCVolumeSource fsType:s- lun:n readOnly:b- targetWWNs:[s] wwids:[s]
FileKeySelector! key:s+ optional:b path:s+ volumeName:s+
FlexPersistentVolumeSource driver:s+ fsType:s- options:{s} readOnly:b- secretRef:SecretReference
FlexVolumeSource driver:s+ fsType:s- options:{s} readOnly:b- secretRef:LocalObjectReference
FlockerVolumeSource datasetName:s- datasetUUID:s-
GCEPersistentDiskVolumeSource fsType:s- partition:n- pdName:s+ readOnly:b-
GRPCAction mode:s port:n+ service:s~
GitRepoVolumeSource directory:s- repository:s+ revision:s-
GlusterfsPersistentVolumeSource endpoints:s+ endpointsNamespace:s path:s+ readOnly:b-
GlusterfsVolumeSource endpoints:s+ path:s+ readOnly:b-
HTTPGetAction host:s- httpHeaders:[HTTPHeader] path:s- port:u+ protocol:s scheme:s-
HTTPHeader name:s+ value:s+
HostAlias hostnames:[s] ip:s+
HostIP ip:s+
HostPathVolumeSource path:s+ type:s
ISCSIPersistentVolumeSource chapAuthDiscovery:b- chapAuthSession:b- fsType:s- initiatorName:s iqn:s+
  iscsiInterface:s- lun:n+ portals:[s] readOnly:b- secretRef:SecretReference targetPortal:s+
ISCSIVolumeSource chapAuthDiscovery:b- chapAuthSession:b- fsType:s- initiatorName:s iqn:s+ iscsiInterface:s-
  lun:n+ portals:[s] readOnly:b- secretRef:LocalObjectReference targetPortal:s+
ImageVolumeSource pullPolicy:s- reference:s-
ImageVolumeStatus imageRef:s-
KeyToPath key:s+ mode:n path:s+ user:n
Lifecycle postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:s
LifecycleHandler exec:ExecAction httpGet:HTTPGetAction sleep:SleepAction tcpSocket:TCPSocketAction
LimitRange apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:LimitRangeSpec+
LimitRangeItem default:{u} defaultRequest:{u} max:{u} maxLimitRequestRatio:{u} min:{u} type:s+
LimitRangeSpec limits:[LimitRangeItem]+
LinuxContainerUser gid:n+ supplementalGroups:[n] uid:n+
LoadBalancerIngress hostname:s- ip:s- ipMode:s ports:[PortStatus]
LoadBalancerStatus ingress:[LoadBalancerIngress]
LocalObjectReference! name:s-
LocalVolumeSource fsType:s path:s+
ModifyVolumeStatus status:s+ targetVolumeAttributesClassName:s-
NFSVolumeSource path:s+ readOnly:b- server:s+
Namespace apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:NamespaceSpec+ status:NamespaceStatus+
NamespaceCondition lastTransitionTime:u message:s- reason:s- status:s+ type:s+
NamespaceSpec finalizers:[s]
NamespaceStatus conditions:[NamespaceCondition|type=""] phase:s-
Node apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:NodeSpec+ status:NodeStatus+
NodeAddress address:s+ type:s+
NodeAffinity preferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm]
  requiredDuringSchedulingIgnoredDuringExecution:NodeSelector
NodeAllocatableMappedResources name:s+ quantity:u
NodeAllocatableOverheadResources name:s+ perContainer:u perPod:u
NodeAllocatableResourceClaimStatus containers:[s]= mapping:[NodeAllocatableMappedResources|name=""]
  overhead:[NodeAllocatableOverheadResources|name=""] resourceClaimName:s+
NodeCondition lastHeartbeatTime:u lastTransitionTime:u message:s- reason:s- status:s+ type:s+
NodeConfigSource configMap:ConfigMapNodeConfigSource
NodeConfigStatus active:NodeConfigSource assigned:NodeConfigSource error:s- lastKnownGood:NodeConfigSource
NodeDaemonEndpoints kubeletEndpoint:DaemonEndpoint+
NodeFeatures supplementalGroupsPolicy:b
NodePodPreemptionPolicy disableResizePreemption:[s]=
NodeRuntimeHandler features:NodeRuntimeHandlerFeatures name:s+
NodeRuntimeHandlerFeatures recursiveReadOnlyMounts:b userNamespaces:b
NodeSelector! nodeSelectorTerms:[NodeSelectorTerm]+
NodeSelectorRequirement key:s+ operator:s+ values:[s]
NodeSelectorTerm! matchExpressions:[NodeSelectorRequirement] matchFields:[NodeSelectorRequirement]
NodeSpec configSource:NodeConfigSource externalID:s- podCIDR:s- podCIDRs:[s]=
  podPreemptionPolicy:NodePodPreemptionPolicy providerID:s- taints:[Taint] unschedulable:b-
NodeStatus addresses:[NodeAddress|type=""] allocatable:{u} capacity:{u} conditions:[NodeCondition|type=""]
  config:NodeConfigStatus daemonEndpoints:NodeDaemonEndpoints+ declaredFeatures:[s] features:NodeFeatures
  images:[ContainerImage] nodeInfo:NodeSystemInfo+ phase:s- runtimeHandlers:[NodeRuntimeHandler]
  volumesAttached:[AttachedVolume] volumesInUse:[s]
NodeSwapStatus capacity:n
NodeSystemInfo architecture:s+ bootID:s+ containerRuntimeVersion:s+ kernelVersion:s+ kubeProxyVersion:s+
  kubeletVersion:s+ machineID:s+ operatingSystem:s+ osImage:s+ runningInUserNamespace:b swap:NodeSwapStatus
  systemUUID:s+
ObjectFieldSelector! apiVersion:s- fieldPath:s+
ObjectReference! apiVersion:s- fieldPath:s- kind:s- name:s- namespace:s- resourceVersion:s- uid:s-
PersistentVolume apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:PersistentVolumeSpec+
  status:PersistentVolumeStatus+
PersistentVolumeClaim apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:PersistentVolumeClaimSpec+
  status:PersistentVolumeClaimStatus+
PersistentVolumeClaimCondition lastProbeTime:u lastTransitionTime:u message:s- reason:s- status:s+ type:s+
PersistentVolumeClaimSpec accessModes:[s] dataSource:TypedLocalObjectReference
  dataSourceRef:TypedObjectReference resources:VolumeResourceRequirements+ selector:meta.v1.LabelSelector
  storageClassName:s volumeAttributesClassName:s volumeMode:s volumeName:s-
PersistentVolumeClaimStatus accessModes:[s] allocatedResourceStatuses:{s} allocatedResources:{u}
  capacity:{u} conditions:[PersistentVolumeClaimCondition|type=""] currentVolumeAttributesClassName:s
  healthStatus:VolumeHealthStatus modifyVolumeStatus:ModifyVolumeStatus phase:s-
PersistentVolumeClaimTemplate metadata:meta.v1.ObjectMeta+ spec:PersistentVolumeClaimSpec+
PersistentVolumeClaimVolumeSource claimName:s+ readOnly:b-
PersistentVolumeSpec accessModes:[s] awsElasticBlockStore:AWSElasticBlockStoreVolumeSource
  azureDisk:AzureDiskVolumeSource azureFile:AzureFilePersistentVolumeSource capacity:{u}
  cephfs:CephFSPersistentVolumeSource cinder:CinderPersistentVolumeSource claimRef:ObjectReference
  csi:CSIPersistentVolumeSource fc:FCVolumeSource flexVolume:FlexPersistentVolumeSource
  flocker:FlockerVolumeSource gcePersistentDisk:GCEPersistentDiskVolumeSource
  glusterfs:GlusterfsPersistentVolumeSource hostPath:HostPathVolumeSource iscsi:ISCSIPersistentVolumeSource
  local:LocalVolumeSource mountOptions:[s] nfs:NFSVolumeSource nodeAffinity:VolumeNodeAffinity
  persistentVolumeReclaimPolicy:s- photonPersistentDisk:PhotonPersistentDiskVolumeSource
  portworxVolume:PortworxVolumeSource quobyte:QuobyteVolumeSource rbd:RBDPersistentVolumeSource
  scaleIO:ScaleIOPersistentVolumeSource storageClassName:s- storageos:StorageOSPersistentVolumeSource
  volumeAttributesClassName:s volumeMode:s vsphereVolume:VsphereVirtualDiskVolumeSource
PersistentVolumeStatus lastPhaseTransitionTime:u message:s- phase:s- reason:s-
PhotonPersistentDiskVolumeSource fsType:s- pdID:s+
Pod apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:PodSpec+ status:PodStatus+
PodAffinity preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
  requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]
PodAffinityTerm labelSelector:meta.v1.LabelSelector matchLabelKeys:[s] mismatchLabelKeys:[s]
  namespaceSelector:meta.v1.LabelSelector namespaces:[s] topologyKey:s+
PodAntiAffinity preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
  requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]
PodCertificateProjection certificateChainPath:s- credentialBundlePath:s- keyPath:s- keyType:s-
  maxExpirationSeconds:n signerName:s- user:n userAnnotations:{s}
PodCondition lastProbeTime:u lastTransitionTime:u message:s- observedGeneration:n- reason:s- status:s+
  type:s+
PodDNSConfig nameservers:[s] options:[PodDNSConfigOption] searches:[s]
PodDNSConfigOption name:s- value:s
PodExtendedResourceClaimStatus requestMappings:[ContainerExtendedResourceRequest]+ resourceClaimName:s+
PodIP ip:s+
PodOS name:s+
PodReadinessGate conditionType:s+
PodResourceClaim name:s+ resourceClaimName:s resourceClaimTemplateName:s
PodResourceClaimStatus name:s+ resourceClaimName:s
PodSchedulingGate name:s+
PodSchedulingGroup podGroupName:s
PodSecurityContext appArmorProfile:AppArmorProfile fsGroup:n fsGroupChangePolicy:s runAsGroup:n
  runAsNonRoot:b runAsUser:n seLinuxChangePolicy:s seLinuxOptions:SELinuxOptions
  seccompProfile:SeccompProfile supplementalGroups:[n] supplementalGroupsPolicy:s sysctls:[Sysctl]
  windowsOptions:WindowsSecurityContextOptions
PodSpec activeDeadlineSeconds:n affinity:Affinity automountServiceAccountToken:b
  containers:[Container|name=""]+ dnsConfig:PodDNSConfig dnsPolicy:s- enableServiceLinks:b
  ephemeralContainers:[EphemeralContainer|name=""] evictionResponders:[EvictionResponder|name=""]
  hostAliases:[HostAlias|ip=""] hostIPC:b- hostNetwork:b- hostPID:b- hostUsers:b hostname:s-
  hostnameOverride:s imagePullSecrets:[LocalObjectReference|name=""] initContainers:[Container|name=""]
  nodeName:s- nodeSelector:{s}! os:PodOS overhead:{u} preemptionPolicy:s priority:n priorityClassName:s-
  readinessGates:[PodReadinessGate] resourceClaims:[PodResourceClaim|name=""] resources:ResourceRequirements
  restartPolicy:s- runtimeClassName:s schedulerName:s- schedulingGates:[PodSchedulingGate|name=""]
  schedulingGroup:PodSchedulingGroup securityContext:PodSecurityContext serviceAccount:s-
  serviceAccountName:s- setHostnameAsFQDN:b shareProcessNamespace:b subdomain:s-
  terminationGracePeriodSeconds:n tolerations:[Toleration]
  topologySpreadConstraints:[TopologySpreadConstraint|topologyKey="",whenUnsatisfiable=""]
  volumes:[Volume|name=""]
PodStatus allocatedResources:{u} conditions:[PodCondition|type=""] containerStatuses:[ContainerStatus]
  ephemeralContainerStatuses:[ContainerStatus] extendedResourceClaimStatus:PodExtendedResourceClaimStatus
  hostIP:s- hostIPs:[HostIP] initContainerStatuses:[ContainerStatus] message:s-
  nodeAllocatableResourceClaimStatuses:[NodeAllocatableResourceClaimStatus|resourceClaimName=""]
  nominatedNodeName:s- observedGeneration:n- phase:s- podIP:s- podIPs:[PodIP|ip=""] qosClass:s- reason:s-
  resize:s- resourceClaimStatuses:[PodResourceClaimStatus|name=""] resources:ResourceRequirements
  startTime:u volumeHealth:[PodVolumeHealth|name=""]
PodTemplate apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ template:PodTemplateSpec+
PodTemplateSpec metadata:meta.v1.ObjectMeta+ spec:PodSpec+
PodVolumeHealth healthConditions:[VolumeHealthCondition|status="",reason=""] lastTransitionTime:u name:s+
PortStatus error:s port:n+ protocol:s+
PortworxVolumeSource fsType:s- readOnly:b- volumeID:s+
PreferredSchedulingTerm preference:NodeSelectorTerm+ weight:n+
Probe exec:ExecAction failureThreshold:n- grpc:GRPCAction httpGet:HTTPGetAction initialDelaySeconds:n-
  periodSeconds:n- successThreshold:n- tcpSocket:TCPSocketAction terminationGracePeriodSeconds:n
  timeoutSeconds:n-
ProjectedVolumeSource defaultMode:n defaultUser:n sources:[VolumeProjection]+
QuobyteVolumeSource group:s- readOnly:b- registry:s+ tenant:s- user:s- volume:s+
RBDPersistentVolumeSource fsType:s- image:s+ keyring:s- monitors:[s]+ pool:s- readOnly:b-
  secretRef:SecretReference user:s-
RBDVolumeSource fsType:s- image:s+ keyring:s- monitors:[s]+ pool:s- readOnly:b-
  secretRef:LocalObjectReference user:s-
ReplicationController apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:ReplicationControllerSpec+
  status:ReplicationControllerStatus+
ReplicationControllerCondition lastTransitionTime:u message:s- reason:s- status:s+ type:s+
ReplicationControllerSpec minReadySeconds:n- replicas:n selector:{s}! template:PodTemplateSpec
ReplicationControllerStatus availableReplicas:n- conditions:[ReplicationControllerCondition|type=""]
  fullyLabeledReplicas:n- observedGeneration:n- readyReplicas:n- replicas:n+
ResourceClaim name:s+ request:s-
ResourceFieldSelector! containerName:s- divisor:u resource:s+
ResourceHealth health:s- message:s resourceID:s+
ResourceQuota apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:ResourceQuotaSpec+
  status:ResourceQuotaStatus+
ResourceQuotaSpec hard:{u} scopeSelector:ScopeSelector scopes:[s]
ResourceQuotaStatus hard:{u} used:{u}
ResourceRequirements claims:[ResourceClaim|name=""] limits:{u} requests:{u}
ResourceStatus name:s+ resources:[ResourceHealth|resourceID=""]
SELinuxOptions level:s- role:s- type:s- user:s-
ScaleIOPersistentVolumeSource fsType:s- gateway:s+ protectionDomain:s- readOnly:b-
  secretRef:SecretReference~ sslEnabled:b- storageMode:s- storagePool:s- system:s+ volumeName:s-
ScaleIOVolumeSource fsType:s- gateway:s+ protectionDomain:s- readOnly:b- secretRef:LocalObjectReference~
  sslEnabled:b- storageMode:s- storagePool:s- system:s+ volumeName:s-
ScopeSelector! matchExpressions:[ScopedResourceSelectorRequirement]
ScopedResourceSelectorRequirement operator:s+ scopeName:s+ values:[s]
SeccompProfile localhostProfile:s type:s+
Secret apiVersion:s data:{s} immutable:b kind:s metadata:meta.v1.ObjectMeta+ stringData:{s} type:s-
SecretEnvSource name:s optional:b
SecretKeySelector! key:s+ name:s optional:b
SecretProjection items:[KeyToPath] name:s optional:b
SecretReference! name:s- namespace:s-
SecretVolumeSource defaultMode:n defaultUser:n items:[KeyToPath] optional:b secretName:s-
SecurityContext allowPrivilegeEscalation:b appArmorProfile:AppArmorProfile capabilities:Capabilities
  privileged:b procMount:s readOnlyRootFilesystem:b runAsGroup:n runAsNonRoot:b runAsUser:n
  seLinuxOptions:SELinuxOptions seccompProfile:SeccompProfile windowsOptions:WindowsSecurityContextOptions
Service apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:ServiceSpec+ status:ServiceStatus+
ServiceAccount apiVersion:s automountServiceAccountToken:b imagePullSecrets:[LocalObjectReference] kind:s
  metadata:meta.v1.ObjectMeta+ secrets:[ObjectReference|name]
ServiceAccountTokenProjection audience:s- expirationSeconds:n path:s+ user:n
ServicePort appProtocol:s name:s- nodePort:n- port:n+ protocol:s- targetPort:u+
ServiceSpec allocateLoadBalancerNodePorts:b clusterIP:s- clusterIPs:[s] externalIPs:[s] externalName:s-
  externalTrafficPolicy:s- healthCheckNodePort:n- internalTrafficPolicy:s ipFamilies:[s] ipFamilyPolicy:s
  loadBalancerClass:s loadBalancerIP:s- loadBalancerSourceRanges:[s]
  ports:[ServicePort|port=0,protocol="TCP"] publishNotReadyAddresses:b- selector:{s}! sessionAffinity:s-
  sessionAffinityConfig:SessionAffinityConfig trafficDistribution:s type:s-
ServiceStatus conditions:[meta.v1.Condition|type=""] loadBalancer:LoadBalancerStatus+
SessionAffinityConfig clientIP:ClientIPConfig
SleepAction seconds:n+
StorageOSPersistentVolumeSource fsType:s- readOnly:b- secretRef:ObjectReference volumeName:s-
  volumeNamespace:s-
StorageOSVolumeSource fsType:s- readOnly:b- secretRef:LocalObjectReference volumeName:s- volumeNamespace:s-
Sysctl name:s+ value:s+
TCPSocketAction host:s- port:u+
Taint effect:s+ key:s+ timeAdded:u value:s-
Toleration effect:s- key:s- operator:s- tolerationSeconds:n value:s-
TopologySelectorLabelRequirement key:s+ values:[s]+
TopologySelectorTerm! matchLabelExpressions:[TopologySelectorLabelRequirement]
TopologySpreadConstraint labelSelector:meta.v1.LabelSelector matchLabelKeys:[s] maxSkew:n+ minDomains:n
  nodeAffinityPolicy:s nodeTaintsPolicy:s topologyKey:s+ whenUnsatisfiable:s+
TypedLocalObjectReference! apiGroup:s~ kind:s+ name:s+
TypedObjectReference apiGroup:s~ kind:s+ name:s+ namespace:s
Volume awsElasticBlockStore:AWSElasticBlockStoreVolumeSource azureDisk:AzureDiskVolumeSource
  azureFile:AzureFileVolumeSource cephfs:CephFSVolumeSource cinder:CinderVolumeSource
  configMap:ConfigMapVolumeSource csi:CSIVolumeSource downwardAPI:DownwardAPIVolumeSource
  emptyDir:EmptyDirVolumeSource ephemeral:EphemeralVolumeSource fc:FCVolumeSource
  flexVolume:FlexVolumeSource flocker:FlockerVolumeSource gcePersistentDisk:GCEPersistentDiskVolumeSource
  gitRepo:GitRepoVolumeSource glusterfs:GlusterfsVolumeSource hostPath:HostPathVolumeSource
  image:ImageVolumeSource iscsi:ISCSIVolumeSource name:s+ nfs:NFSVolumeSource
  persistentVolumeClaim:PersistentVolumeClaimVolumeSource
  photonPersistentDisk:PhotonPersistentDiskVolumeSource portworxVolume:PortworxVolumeSource
  projected:ProjectedVolumeSource quobyte:QuobyteVolumeSource rbd:RBDVolumeSource
  scaleIO:ScaleIOVolumeSource secret:SecretVolumeSource storageos:StorageOSVolumeSource
  vsphereVolume:VsphereVirtualDiskVolumeSource
VolumeDevice devicePath:s+ name:s+
VolumeHealthCondition message:s- reason:s+ status:s+
VolumeHealthStatus healthConditions:[VolumeHealthCondition|status="",reason=""] lastTransitionTime:u
VolumeMount bindMountOptions:[s]= mountPath:s+ mountPropagation:s name:s+ readOnly:b- recursiveReadOnly:s
  subPath:s- subPathExpr:s-
VolumeMountStatus mountPath:s+ name:s+ readOnly:b- recursiveReadOnly:s volumeStatus:VolumeStatus
VolumeNodeAffinity required:NodeSelector
VolumeProjection clusterTrustBundle:ClusterTrustBundleProjection configMap:ConfigMapProjection
  downwardAPI:DownwardAPIProjection podCertificate:PodCertificateProjection secret:SecretProjection
  serviceAccountToken:ServiceAccountTokenProjection
VolumeResourceRequirements limits:{u} requests:{u}
VolumeStatus image:ImageVolumeStatus
VsphereVirtualDiskVolumeSource fsType:s- storagePolicyID:s- storagePolicyName:s- volumePath:s+
WeightedPodAffinityTerm podAffinityTerm:PodAffinityTerm+ weight:n+
WindowsSecurityContextOptions gmsaCredentialSpec:s gmsaCredentialSpecName:s hostProcess:b runAsUserName:s
admissionregistration.v1.AuditAnnotation key:s+ valueExpression:s+
admissionregistration.v1.ExpressionWarning fieldRef:s+ warning:s+
admissionregistration.v1.MatchCondition expression:s+ name:s+
admissionregistration.v1.MatchResources!
  excludeResourceRules:[admissionregistration.v1.NamedRuleWithOperations] matchPolicy:s
  namespaceSelector:meta.v1.LabelSelector objectSelector:meta.v1.LabelSelector
  resourceRules:[admissionregistration.v1.NamedRuleWithOperations]
admissionregistration.v1.MutatingWebhook admissionReviewVersions:[s]+
  clientConfig:admissionregistration.v1.WebhookClientConfig+ failurePolicy:s
  matchConditions:[admissionregistration.v1.MatchCondition|name=""] matchPolicy:s name:s+
  namespaceSelector:meta.v1.LabelSelector objectSelector:meta.v1.LabelSelector reinvocationPolicy:s
  rules:[admissionregistration.v1.RuleWithOperations] sideEffects:s~ timeoutSeconds:n
admissionregistration.v1.MutatingWebhookConfiguration apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  webhooks:[admissionregistration.v1.MutatingWebhook|name=""]
admissionregistration.v1.NamedRuleWithOperations! apiGroups:[s] apiVersions:[s] operations:[s]
  resourceNames:[s] resources:[s] scope:s
admissionregistration.v1.ParamKind! apiVersion:s- kind:s-
admissionregistration.v1.ParamRef! name:s- namespace:s- parameterNotFoundAction:s
  selector:meta.v1.LabelSelector
admissionregistration.v1.RuleWithOperations apiGroups:[s] apiVersions:[s] operations:[s] resources:[s]
  scope:s
admissionregistration.v1.ServiceReference name:s+ namespace:s+ path:s port:n
admissionregistration.v1.TypeChecking expressionWarnings:[admissionregistration.v1.ExpressionWarning]
admissionregistration.v1.ValidatingAdmissionPolicy apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:admissionregistration.v1.ValidatingAdmissionPolicySpec+
  status:admissionregistration.v1.ValidatingAdmissionPolicyStatus+
admissionregistration.v1.ValidatingAdmissionPolicyBinding apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec+
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec
  matchResources:admissionregistration.v1.MatchResources paramRef:admissionregistration.v1.ParamRef
  policyName:s- validationActions:[s]=
admissionregistration.v1.ValidatingAdmissionPolicySpec
  auditAnnotations:[admissionregistration.v1.AuditAnnotation] failurePolicy:s
  matchConditions:[admissionregistration.v1.MatchCondition|name=""]
  matchConstraints:admissionregistration.v1.MatchResources paramKind:admissionregistration.v1.ParamKind
  validations:[admissionregistration.v1.Validation] variables:[admissionregistration.v1.Variable|name=""]
admissionregistration.v1.ValidatingAdmissionPolicyStatus conditions:[meta.v1.Condition|type=""]
  observedGeneration:n- typeChecking:admissionregistration.v1.TypeChecking
admissionregistration.v1.ValidatingWebhook admissionReviewVersions:[s]+
  clientConfig:admissionregistration.v1.WebhookClientConfig+ failurePolicy:s
  matchConditions:[admissionregistration.v1.MatchCondition|name=""] matchPolicy:s name:s+
  namespaceSelector:meta.v1.LabelSelector objectSelector:meta.v1.LabelSelector
  rules:[admissionregistration.v1.RuleWithOperations] sideEffects:s~ timeoutSeconds:n
admissionregistration.v1.ValidatingWebhookConfiguration apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  webhooks:[admissionregistration.v1.ValidatingWebhook|name=""]
admissionregistration.v1.Validation expression:s+ message:s- messageExpression:s- reason:s
admissionregistration.v1.Variable! expression:s+ name:s+
admissionregistration.v1.WebhookClientConfig caBundle:s service:admissionregistration.v1.ServiceReference
  url:s
apiextensions.v1.CustomResourceColumnDefinition description:s- format:s- jsonPath:s+ name:s+ priority:n-
  type:s+
apiextensions.v1.CustomResourceConversion strategy:s+ webhook:apiextensions.v1.WebhookConversion
apiextensions.v1.CustomResourceDefinition apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:apiextensions.v1.CustomResourceDefinitionSpec+
  status:apiextensions.v1.CustomResourceDefinitionStatus+
apiextensions.v1.CustomResourceDefinitionCondition lastTransitionTime:u message:s- observedGeneration:n-
  reason:s- status:s+ type:s+
apiextensions.v1.CustomResourceDefinitionNames categories:[s] kind:s+ listKind:s- plural:s+ shortNames:[s]
  singular:s-
apiextensions.v1.CustomResourceDefinitionSpec conversion:apiextensions.v1.CustomResourceConversion group:s+
  names:apiextensions.v1.CustomResourceDefinitionNames+ preserveUnknownFields:b- scope:s+
  versions:[apiextensions.v1.CustomResourceDefinitionVersion]+
apiextensions.v1.CustomResourceDefinitionStatus
  acceptedNames:apiextensions.v1.CustomResourceDefinitionNames+
  conditions:[apiextensions.v1.CustomResourceDefinitionCondition|type=""]+ observedGeneration:n-
  storedVersions:[s]+
apiextensions.v1.CustomResourceDefinitionVersion
  additionalPrinterColumns:[apiextensions.v1.CustomResourceColumnDefinition] deprecated:b-
  deprecationWarning:s name:s+ schema:apiextensions.v1.CustomResourceValidation
  selectableFields:[apiextensions.v1.SelectableField] served:b+ storage:b+
  subresources:apiextensions.v1.CustomResourceSubresources
apiextensions.v1.CustomResourceSubresourceScale labelSelectorPath:s specReplicasPath:s+
  statusReplicasPath:s+
apiextensions.v1.CustomResourceSubresourceStatus = {any}
apiextensions.v1.CustomResourceSubresources scale:apiextensions.v1.CustomResourceSubresourceScale
  status:apiextensions.v1.CustomResourceSubresourceStatus
apiextensions.v1.CustomResourceValidation openAPIV3Schema:apiextensions.v1.JSONSchemaProps
apiextensions.v1.ExternalDocumentation description:s- url:s-
apiextensions.v1.JSONSchemaProps $ref:s $schema:s- additionalItems:any additionalProperties:any
  allOf:[apiextensions.v1.JSONSchemaProps] anyOf:[apiextensions.v1.JSONSchemaProps] default:any
  definitions:{apiextensions.v1.JSONSchemaProps} dependencies:{any} description:s- enum:[any] example:any
  exclusiveMaximum:b- exclusiveMinimum:b- externalDocs:apiextensions.v1.ExternalDocumentation format:s-
  id:s- items:any maxItems:n maxLength:n maxProperties:n maximum:n minItems:n minLength:n minProperties:n
  minimum:n multipleOf:n not:apiextensions.v1.JSONSchemaProps nullable:b-
  oneOf:[apiextensions.v1.JSONSchemaProps] pattern:s- patternProperties:{apiextensions.v1.JSONSchemaProps}
  properties:{apiextensions.v1.JSONSchemaProps} required:[s] title:s- type:s- uniqueItems:b-
  x-kubernetes-embedded-resource:b- x-kubernetes-int-or-string:b- x-kubernetes-list-map-keys:[s]
  x-kubernetes-list-type:s x-kubernetes-map-type:s x-kubernetes-preserve-unknown-fields:b
  x-kubernetes-validations:[apiextensions.v1.ValidationRule|rule=""]
apiextensions.v1.SelectableField jsonPath:s+
apiextensions.v1.ServiceReference name:s+ namespace:s+ path:s port:n
apiextensions.v1.ValidationRule fieldPath:s- message:s- messageExpression:s- optionalOldSelf:b reason:s
  rule:s+
apiextensions.v1.WebhookClientConfig caBundle:s service:apiextensions.v1.ServiceReference url:s
apiextensions.v1.WebhookConversion clientConfig:apiextensions.v1.WebhookClientConfig
  conversionReviewVersions:[s]+
apps.v1.ControllerRevision apiVersion:s data:any! kind:s metadata:meta.v1.ObjectMeta+ revision:n+
apps.v1.DaemonSet apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:apps.v1.DaemonSetSpec+
  status:apps.v1.DaemonSetStatus+
apps.v1.DaemonSetCondition lastTransitionTime:u message:s- reason:s- status:s+ type:s+
apps.v1.DaemonSetSpec minReadySeconds:n- revisionHistoryLimit:n selector:meta.v1.LabelSelector~
  template:PodTemplateSpec+ updateStrategy:apps.v1.DaemonSetUpdateStrategy+
apps.v1.DaemonSetStatus collisionCount:n conditions:[apps.v1.DaemonSetCondition|type=""]
  currentNumberScheduled:n+ desiredNumberScheduled:n+ numberAvailable:n- numberMisscheduled:n+
  numberReady:n+ numberUnavailable:n- observedGeneration:n- updatedNumberScheduled:n-
apps.v1.DaemonSetUpdateStrategy rollingUpdate:apps.v1.RollingUpdateDaemonSet type:s-
apps.v1.Deployment apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:apps.v1.DeploymentSpec+
  status:apps.v1.DeploymentStatus+
apps.v1.DeploymentCondition lastTransitionTime:u lastUpdateTime:u message:s- reason:s- status:s+ type:s+
apps.v1.DeploymentSpec minReadySeconds:n- paused:b- progressDeadlineSeconds:n replicas:n
  revisionHistoryLimit:n selector:meta.v1.LabelSelector~ strategy:apps.v1.DeploymentStrategy+
  template:PodTemplateSpec+
apps.v1.DeploymentStatus availableReplicas:n- collisionCount:n
  conditions:[apps.v1.DeploymentCondition|type=""] observedGeneration:n- readyReplicas:n- replicas:n-
  terminatingReplicas:n unavailableReplicas:n- updatedReplicas:n-
apps.v1.DeploymentStrategy rollingUpdate:apps.v1.RollingUpdateDeployment type:s-
apps.v1.ReplicaSet apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:apps.v1.ReplicaSetSpec+
  status:apps.v1.ReplicaSetStatus+
apps.v1.ReplicaSetCondition lastTransitionTime:u message:s- reason:s- status:s+ type:s+
apps.v1.ReplicaSetSpec minReadySeconds:n- replicas:n selector:meta.v1.LabelSelector~
  template:PodTemplateSpec+
apps.v1.ReplicaSetStatus availableReplicas:n- conditions:[apps.v1.ReplicaSetCondition|type=""]
  fullyLabeledReplicas:n- observedGeneration:n- readyReplicas:n- replicas:n+ terminatingReplicas:n
apps.v1.RollingUpdateDaemonSet maxSurge:u maxUnavailable:u
apps.v1.RollingUpdateDeployment maxSurge:u maxUnavailable:u
apps.v1.RollingUpdateStatefulSetStrategy maxUnavailable:u partition:n
apps.v1.StatefulSet apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:apps.v1.StatefulSetSpec+
  status:apps.v1.StatefulSetStatus+
apps.v1.StatefulSetCondition lastTransitionTime:u message:s- reason:s- status:s+ type:s+
apps.v1.StatefulSetOrdinals start:n+
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted:s- whenScaled:s-
apps.v1.StatefulSetSpec minReadySeconds:n- ordinals:apps.v1.StatefulSetOrdinals
  persistentVolumeClaimRetentionPolicy:apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy
  podManagementPolicy:s- replicas:n revisionHistoryLimit:n selector:meta.v1.LabelSelector~ serviceName:s+
  template:PodTemplateSpec+ updateStrategy:apps.v1.StatefulSetUpdateStrategy+
  volumeClaimTemplates:[PersistentVolumeClaim]
apps.v1.StatefulSetStatus availableReplicas:n+ collisionCount:n
  conditions:[apps.v1.StatefulSetCondition|type=""] currentReplicas:n- currentRevision:s-
  observedGeneration:n- readyReplicas:n- replicas:n+ updateRevision:s- updatedReplicas:n-
apps.v1.StatefulSetUpdateStrategy rollingUpdate:apps.v1.RollingUpdateStatefulSetStrategy type:s-
autoscaling.v2.ContainerResourceMetricSource container:s+ name:s+ target:autoscaling.v2.MetricTarget+
autoscaling.v2.ContainerResourceMetricStatus container:s+ current:autoscaling.v2.MetricValueStatus+ name:s+
autoscaling.v2.CrossVersionObjectReference apiVersion:s- kind:s+ name:s+
autoscaling.v2.ExternalMetricSource metric:autoscaling.v2.MetricIdentifier+
  target:autoscaling.v2.MetricTarget+
autoscaling.v2.ExternalMetricStatus current:autoscaling.v2.MetricValueStatus+
  metric:autoscaling.v2.MetricIdentifier+
autoscaling.v2.HPAScalingPolicy periodSeconds:n+ type:s+ value:n+
autoscaling.v2.HPAScalingRules policies:[autoscaling.v2.HPAScalingPolicy] selectPolicy:s
  stabilizationWindowSeconds:n tolerance:u
autoscaling.v2.HorizontalPodAutoscaler apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:autoscaling.v2.HorizontalPodAutoscalerSpec+ status:autoscaling.v2.HorizontalPodAutoscalerStatus+
autoscaling.v2.HorizontalPodAutoscalerBehavior scaleDown:autoscaling.v2.HPAScalingRules
  scaleUp:autoscaling.v2.HPAScalingRules
autoscaling.v2.HorizontalPodAutoscalerCondition lastTransitionTime:u message:s- observedGeneration:n
  reason:s- status:s+ type:s+
autoscaling.v2.HorizontalPodAutoscalerSpec behavior:autoscaling.v2.HorizontalPodAutoscalerBehavior
  maxReplicas:n+ metrics:[autoscaling.v2.MetricSpec] minReplicas:n
  scaleTargetRef:autoscaling.v2.CrossVersionObjectReference+
autoscaling.v2.HorizontalPodAutoscalerStatus
  conditions:[autoscaling.v2.HorizontalPodAutoscalerCondition|type=""]
  currentMetrics:[autoscaling.v2.MetricStatus]+ currentReplicas:n- desiredReplicas:n+ lastScaleTime:u
  observedGeneration:n
autoscaling.v2.MetricIdentifier name:s+ selector:meta.v1.LabelSelector
autoscaling.v2.MetricSpec containerResource:autoscaling.v2.ContainerResourceMetricSource
  external:autoscaling.v2.ExternalMetricSource object:autoscaling.v2.ObjectMetricSource
  pods:autoscaling.v2.PodsMetricSource resource:autoscaling.v2.ResourceMetricSource type:s+
autoscaling.v2.MetricStatus containerResource:autoscaling.v2.ContainerResourceMetricStatus
  external:autoscaling.v2.ExternalMetricStatus object:autoscaling.v2.ObjectMetricStatus
  pods:autoscaling.v2.PodsMetricStatus resource:autoscaling.v2.ResourceMetricStatus type:s+
autoscaling.v2.MetricTarget averageUtilization:n averageValue:u type:s+ value:u
autoscaling.v2.MetricValueStatus averageUtilization:n averageValue:u value:u
autoscaling.v2.ObjectMetricSource describedObject:autoscaling.v2.CrossVersionObjectReference+
  metric:autoscaling.v2.MetricIdentifier+ target:autoscaling.v2.MetricTarget+
autoscaling.v2.ObjectMetricStatus current:autoscaling.v2.MetricValueStatus+
  describedObject:autoscaling.v2.CrossVersionObjectReference+ metric:autoscaling.v2.MetricIdentifier+
autoscaling.v2.PodsMetricSource metric:autoscaling.v2.MetricIdentifier+ target:autoscaling.v2.MetricTarget+
autoscaling.v2.PodsMetricStatus current:autoscaling.v2.MetricValueStatus+
  metric:autoscaling.v2.MetricIdentifier+
autoscaling.v2.ResourceMetricSource name:s+ target:autoscaling.v2.MetricTarget+
autoscaling.v2.ResourceMetricStatus current:autoscaling.v2.MetricValueStatus+ name:s+
batch.v1.CronJob apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:batch.v1.CronJobSpec+
  status:batch.v1.CronJobStatus+
batch.v1.CronJobSpec concurrencyPolicy:s- failedJobsHistoryLimit:n jobTemplate:batch.v1.JobTemplateSpec+
  schedule:s+ startingDeadlineSeconds:n successfulJobsHistoryLimit:n suspend:b timeZone:s
batch.v1.CronJobStatus active:[ObjectReference] lastScheduleTime:u lastSuccessfulTime:u
batch.v1.Job apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:batch.v1.JobSpec+
  status:batch.v1.JobStatus+
batch.v1.JobCondition lastProbeTime:u lastTransitionTime:u message:s- reason:s- status:s+ type:s+
batch.v1.JobSchedulingConfiguration disruptionMode:scheduling.v1alpha3.WorkloadPodGroupDisruptionMode
  resourceClaims:[scheduling.v1alpha3.WorkloadPodGroupResourceClaim|name=""]
  schedulingConstraints:scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints
  schedulingPolicy:scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy
batch.v1.JobSpec activeDeadlineSeconds:n backoffLimit:n backoffLimitPerIndex:n completionMode:s
  completions:n managedBy:s manualSelector:b maxFailedIndexes:n parallelism:n
  podFailurePolicy:batch.v1.PodFailurePolicy podReplacementPolicy:s
  scheduling:batch.v1.JobSchedulingConfiguration selector:meta.v1.LabelSelector
  successPolicy:batch.v1.SuccessPolicy suspend:b template:PodTemplateSpec+ ttlSecondsAfterFinished:n
batch.v1.JobStatus active:n- completedIndexes:s- completionTime:u conditions:[batch.v1.JobCondition]
  failed:n- failedIndexes:s ready:n startTime:u succeeded:n- terminating:n
  uncountedTerminatedPods:batch.v1.UncountedTerminatedPods
batch.v1.JobTemplateSpec metadata:meta.v1.ObjectMeta+ spec:batch.v1.JobSpec+
batch.v1.PodFailurePolicy rules:[batch.v1.PodFailurePolicyRule]+
batch.v1.PodFailurePolicyOnExitCodesRequirement containerName:s operator:s+ values:[n]=+
batch.v1.PodFailurePolicyOnPodConditionsPattern status:s+ type:s+
batch.v1.PodFailurePolicyRule action:s+ onExitCodes:batch.v1.PodFailurePolicyOnExitCodesRequirement
  onPodConditions:[batch.v1.PodFailurePolicyOnPodConditionsPattern]
batch.v1.SuccessPolicy rules:[batch.v1.SuccessPolicyRule]+
batch.v1.SuccessPolicyRule succeededCount:n succeededIndexes:s
batch.v1.UncountedTerminatedPods failed:[s]= succeeded:[s]=
coordination.v1.Lease apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:coordination.v1.LeaseSpec+
coordination.v1.LeaseSpec acquireTime:u holderIdentity:s leaseDurationSeconds:n leaseTransitions:n
  preferredHolder:s renewTime:u strategy:s
discovery.v1.Endpoint addresses:[s]=+ conditions:discovery.v1.EndpointConditions+ deprecatedTopology:{s}
  hints:discovery.v1.EndpointHints hostname:s nodeName:s targetRef:ObjectReference zone:s
discovery.v1.EndpointConditions ready:b serving:b terminating:b
discovery.v1.EndpointHints forNodes:[discovery.v1.ForNode] forZones:[discovery.v1.ForZone]
discovery.v1.EndpointPort! appProtocol:s name:s port:n protocol:s
discovery.v1.EndpointSlice addressType:s+ apiVersion:s endpoints:[discovery.v1.Endpoint]+ kind:s
  metadata:meta.v1.ObjectMeta+ ports:[discovery.v1.EndpointPort]+
discovery.v1.ForNode name:s+
discovery.v1.ForZone name:s+
meta.v1.Condition lastTransitionTime:u message:s+ observedGeneration:n- reason:s+ status:s+ type:s+
meta.v1.FieldsV1 = {any}
meta.v1.LabelSelector! matchExpressions:[meta.v1.LabelSelectorRequirement] matchLabels:{s}
meta.v1.LabelSelectorRequirement key:s+ operator:s+ values:[s]
meta.v1.ManagedFieldsEntry apiVersion:s- fieldsType:s- fieldsV1:meta.v1.FieldsV1 manager:s- operation:s-
  subresource:s- time:u
meta.v1.ObjectMeta annotations:{s} creationTimestamp:u deletionGracePeriodSeconds:n deletionTimestamp:u
  finalizers:[s]= generateName:s- generation:n- labels:{s} managedFields:[meta.v1.ManagedFieldsEntry]
  name:s- namespace:s- ownerReferences:[meta.v1.OwnerReference|uid=""] resourceVersion:s- selfLink:s- uid:s-
meta.v1.OwnerReference! apiVersion:s+ blockOwnerDeletion:b controller:b kind:s+ name:s+ uid:s+
networking.v1.HTTPIngressPath backend:networking.v1.IngressBackend+ path:s- pathType:s~
networking.v1.HTTPIngressRuleValue paths:[networking.v1.HTTPIngressPath]+
networking.v1.IPBlock cidr:s+ except:[s]
networking.v1.Ingress apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:networking.v1.IngressSpec+
  status:networking.v1.IngressStatus+
networking.v1.IngressBackend resource:TypedLocalObjectReference service:networking.v1.IngressServiceBackend
networking.v1.IngressClass apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:networking.v1.IngressClassSpec+
networking.v1.IngressClassParametersReference apiGroup:s kind:s+ name:s+ namespace:s scope:s~
networking.v1.IngressClassSpec controller:s- parameters:networking.v1.IngressClassParametersReference
networking.v1.IngressLoadBalancerIngress hostname:s- ip:s- ports:[networking.v1.IngressPortStatus]
networking.v1.IngressLoadBalancerStatus ingress:[networking.v1.IngressLoadBalancerIngress]
networking.v1.IngressPortStatus error:s port:n+ protocol:s+
networking.v1.IngressRule host:s- http:networking.v1.HTTPIngressRuleValue
networking.v1.IngressServiceBackend name:s+ port:networking.v1.ServiceBackendPort+
networking.v1.IngressSpec defaultBackend:networking.v1.IngressBackend ingressClassName:s
  rules:[networking.v1.IngressRule] tls:[networking.v1.IngressTLS]
networking.v1.IngressStatus loadBalancer:networking.v1.IngressLoadBalancerStatus+
networking.v1.IngressTLS hosts:[s] secretName:s-
networking.v1.NetworkPolicy apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:networking.v1.NetworkPolicySpec+
networking.v1.NetworkPolicyEgressRule ports:[networking.v1.NetworkPolicyPort]
  to:[networking.v1.NetworkPolicyPeer]
networking.v1.NetworkPolicyIngressRule from:[networking.v1.NetworkPolicyPeer]
  ports:[networking.v1.NetworkPolicyPort]
networking.v1.NetworkPolicyPeer ipBlock:networking.v1.IPBlock namespaceSelector:meta.v1.LabelSelector
  podSelector:meta.v1.LabelSelector
networking.v1.NetworkPolicyPort endPort:n port:u protocol:s
networking.v1.NetworkPolicySpec egress:[networking.v1.NetworkPolicyEgressRule]
  ingress:[networking.v1.NetworkPolicyIngressRule] podSelector:meta.v1.LabelSelector+ policyTypes:[s]
networking.v1.ServiceBackendPort! name:s- number:n-
policy.v1.PodDisruptionBudget apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:policy.v1.PodDisruptionBudgetSpec+ status:policy.v1.PodDisruptionBudgetStatus+
policy.v1.PodDisruptionBudgetSpec maxUnavailable:u minAvailable:u selector:meta.v1.LabelSelector
  unhealthyPodEvictionPolicy:s
policy.v1.PodDisruptionBudgetStatus conditions:[meta.v1.Condition|type=""] currentHealthy:n+
  desiredHealthy:n+ disruptedPods:{u} disruptionsAllowed:n+ expectedPods:n+ observedGeneration:n-
rbac.v1.AggregationRule clusterRoleSelectors:[meta.v1.LabelSelector]
rbac.v1.ClusterRole aggregationRule:rbac.v1.AggregationRule apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  rules:[rbac.v1.PolicyRule]+
rbac.v1.ClusterRoleBinding apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ roleRef:rbac.v1.RoleRef+
  subjects:[rbac.v1.Subject]
rbac.v1.PolicyRule apiGroups:[s] nonResourceURLs:[s] resourceNames:[s] resources:[s] verbs:[s]+
rbac.v1.Role apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ rules:[rbac.v1.PolicyRule]+
rbac.v1.RoleBinding apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ roleRef:rbac.v1.RoleRef+
  subjects:[rbac.v1.Subject]
rbac.v1.RoleRef! apiGroup:s+ kind:s+ name:s+
rbac.v1.Subject! apiGroup:s- kind:s+ name:s+ namespace:s-
scheduling.v1.PriorityClass apiVersion:s description:s- globalDefault:b- kind:s metadata:meta.v1.ObjectMeta+
  preemptionPolicy:s value:n+
scheduling.v1alpha3.TopologyConstraint key:s+
scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode = {any}
scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy = {any}
scheduling.v1alpha3.WorkloadPodGroupDisruptionMode all:scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode
  single:scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode
scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy minCount:n
scheduling.v1alpha3.WorkloadPodGroupResourceClaim name:s+ resourceClaimName:s resourceClaimTemplateName:s
scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints topology:[scheduling.v1alpha3.TopologyConstraint]
scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy
  basic:scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy
  gang:scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy
scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode = {any}
storage.v1.CSIDriver apiVersion:s kind:s metadata:meta.v1.ObjectMeta+ spec:storage.v1.CSIDriverSpec+
storage.v1.CSIDriverSpec attachRequired:b fsGroupPolicy:s nodeAllocatableUpdatePeriodSeconds:n
  podInfoOnMount:b preventPodSchedulingIfMissing:b requiresRepublish:b seLinuxMount:b
  serviceAccountTokenInSecrets:b storageCapacity:b tokenRequests:[storage.v1.TokenRequest]
  volumeLifecycleModes:[s]=
storage.v1.StorageClass allowVolumeExpansion:b allowedTopologies:[TopologySelectorTerm] apiVersion:s kind:s
  metadata:meta.v1.ObjectMeta+ mountOptions:[s] parameters:{s} provisioner:s+ reclaimPolicy:s
  volumeBindingMode:s
storage.v1.TokenRequest audience:s+ expirationSeconds:n
storage.v1.VolumeAttachment apiVersion:s kind:s metadata:meta.v1.ObjectMeta+
  spec:storage.v1.VolumeAttachmentSpec+ status:storage.v1.VolumeAttachmentStatus+
storage.v1.VolumeAttachmentSource inlineVolumeSpec:PersistentVolumeSpec persistentVolumeName:s
storage.v1.VolumeAttachmentSpec attacher:s+ nodeName:s+ source:storage.v1.VolumeAttachmentSource+
storage.v1.VolumeAttachmentStatus attachError:storage.v1.VolumeError attached:b+ attachmentMetadata:{s}
  detachError:storage.v1.VolumeError
storage.v1.VolumeError errorCode:n message:s- time:u
"""
