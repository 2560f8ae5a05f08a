import sys

sys.path.insert(0, "/tmp/argosy/w/rollouts/tests/system")
import hubs
import pytest
from hubs import config_map
from test_killed_between_writes import _killed


@pytest.fixture
def repo(tmp_path):
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/web.yaml": config_map("web")})
        yield repo


@pytest.mark.timeout(1500)
async def test_sample(tmp_path, repo):
    await _killed(tmp_path, repo, 60)
