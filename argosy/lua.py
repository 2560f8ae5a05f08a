"""Runs a user's Lua on one object: in a fresh interpreter, without files, commands, modules or an end it could miss.

Argo CD runs users' scripts in a Lua 5.1 that knows `goto`. This is Lua 5.2 (which has `goto`, and limits for memory and
instructions that always hold, as LuaJIT's do not) with the names of 5.1 that 5.2 gave up.
"""

from __future__ import annotations

from typing import Any

from lupa import lua52

from argosy.health.user import Exhausted, Failed
from argosy.objects import Manifest

INSTRUCTIONS = 10_000_000
"""Of one run: some tenths of a second, well under Argo CD's one second."""
SECONDS = 1.0
"""Of the processor, for one run, in steps of a thousand instructions."""
MEMORY = 64 << 20
"""Bytes of one run, the object included."""
_TOO_LONG = "script ran for too long"
DEPTH = 64
"""How deep a returned table may be; a table that contains itself ends here."""

# `setmetatable` refuses `__gc`: finalizers run without hooks, so without limits. Once the instructions are spent the
# hook fires at every further one, so that no `pcall` can keep a loop alive.
_PRELUDE = """
local text, object, open, budget, seconds = ...
local function copy(library)
  local found = {}
  for name, value in pairs(library) do found[name] = value end
  return found
end
local env = {
  _VERSION = 'Lua 5.1', assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next,
  pairs = pairs, pcall = pcall, rawequal = rawequal, rawget = rawget, rawset = rawset, select = select,
  tonumber = tonumber, tostring = tostring, type = type, unpack = table.unpack, xpcall = xpcall,
}
env._G = env
env.obj = object
env.print = function() end
env.table = copy(table)
env.table.getn = function(list) return #list end
env.table.maxn = function(list)
  local most = 0
  for key in pairs(list) do if type(key) == 'number' and key > most then most = key end end
  return most
end
env.table.unpack, env.table.pack = nil, nil
env.table.time, env.table.date = os.time, os.date
env.actionParams = {}
local safe = {time = os.time, date = os.date}
if open then env.os = safe end
env.package = {loaded = {_G = env, table = env.table, os = safe}, preload = {}}
if open then
  env.string, env.math = copy(string), copy(math)
  env.string.gfind = string.gmatch
  env.math.mod = math.fmod
  env.package.loaded.string, env.package.loaded.math = env.string, env.math
else
  getmetatable('').__index = nil
end
env.require = function(name)
  local loaded = env.package.loaded[name]
  if loaded == nil then error('module ' .. tostring(name) .. ' not found', 2) end
  return loaded
end
local load, rawget, setmetatable = load, rawget, setmetatable
env.loadstring = function(code, name) return load(code, name, 't', env) end
env.load = env.loadstring
env.setmetatable = function(value, meta)
  if type(meta) == 'table' and rawget(meta, '__gc') ~= nil then error('__gc is not supported', 2) end
  return setmetatable(value, meta)
end
local chunk, problem = load(text, '=script', 't', env)
if chunk == nil then error(problem, 0) end
local sethook, clock = debug.sethook, os.clock
local ends = clock() + seconds
local function spent()
  sethook(spent, '', 1)
  error('script ran for too long', 0)
end
local function look()
  budget = budget - 1000
  if budget <= 0 or clock() > ends then spent() end
end
sethook(look, '', 1000)
local values = {chunk()}
sethook()
return values[#values]
"""


def run(script: str, open_libraries: bool, live: Manifest) -> Any:
    """What the script returns for the global `obj`, as JSON's types; an empty table is an empty list.

    Only with `open_libraries` there are `string` and `math`. Raises `Failed` where the
    script cannot be read, fails, spends its limits or returns what is no JSON.
    """
    try:
        runtime = lua52.LuaRuntime(
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
            max_memory=MEMORY,
        )
        runtime.globals().python = None
        value = runtime.execute(
            _PRELUDE, script, runtime.table_from(live, recursive=True), open_libraries, INSTRUCTIONS, SECONDS
        )
        return _json(value[0] if isinstance(value, tuple) else value, DEPTH)
    except lua52.LuaMemoryError:
        raise Exhausted("script needs too much memory") from None
    except (lua52.LuaError, UnicodeError, RecursionError) as error:
        said = str(error).partition("\n")[0]
        raise (Exhausted if said == _TOO_LONG else Failed)(said) from None


def _no_attributes(_object: object, _name: str, _setting: bool) -> str:
    raise AttributeError("nothing of Python is for scripts")


def _json(value: Any, depth: int) -> Any:
    kind = lua52.lua_type(value)
    if kind is None:
        return value
    if kind != "table" or depth == 0:
        raise Failed(f"script returned a {kind} that is no JSON")
    found = {key: _json(each, depth - 1) for key, each in value.items()}
    if all(isinstance(key, str) for key in found) and found:
        return found
    if set(found) == set(range(1, len(found) + 1)):
        return [found[index] for index in range(1, len(found) + 1)]
    raise Failed("script returned a table with mixed or missing keys")
