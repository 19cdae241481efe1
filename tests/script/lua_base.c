/* SPDX-License-Identifier: BSD-2-Clause */
/* What a script can reach, all of it; and the four functions that are not Lua's own. */
#include "script/run.h"

#include "script/lua_operation.h"
#include "script/sandbox.h"

/* Every path from the globals on, through tables and metatables, sorted. */
static const char reach[] =
	"function()\n"
	"  local seen, found = {}, {}\n"
	"  for k in ('atan2 cosh frexp ldexp log10 pow sinh tanh'):gmatch('%w+') do\n"
	"    math[k] = nil\n" /* of Lua 5.3, where it was built so */
	"  end\n"
	"  local function walk(path, value)\n"
	"    if type(value) ~= 'table' then found[#found + 1] = path return end\n"
	"    if seen[value] then return end\n"
	"    seen[value] = true\n"
	"    local mt = getmetatable(value)\n"
	"    if mt then walk(path .. '<meta>', mt) end\n"
	"    for k, v in next, value do walk(path == '' and k or path .. '.' .. k, v) end\n"
	"  end\n"
	"  walk('', _G)\n"
	"  for _, v in ipairs{'', 1, true, print, type, reverse} do\n"
	"    if getmetatable(v) then found[#found + 1] = 'meta of a ' .. type(v) end\n"
	"  end\n"
	"  table.sort(found)\n"
	"  return table.concat(found, ' ')\n"
	"end";

/* clang-format off */
static const char allowed[] =
	"_VERSION always anonymize assert between bpf checksums collectgarbage equals error every "
	"getmetatable ipairs lower "
	"math.abs math.acos math.asin math.atan math.ceil math.cos math.deg math.exp math.floor "
	"math.fmod math.huge math.log math.max math.maxinteger math.min math.mininteger math.modf "
	"math.pi math.rad math.random math.randomseed math.sin math.sqrt math.tan math.tointeger "
	"math.type math.ult never next now now_ns pairs pcall print rawequal rawget rawlen rawset "
	"reverse select set setmetatable shift_time string.byte string.char string.find "
	"string.format string.gmatch string.gsub string.len string.lower string.match string.pack "
	"string.packsize string.rep string.reverse string.sub string.unpack string.upper "
	"table.concat table.insert table.move table.pack table.remove table.sort table.unpack "
	"tonumber tostring truncate type upper utf8.char utf8.charpattern utf8.codepoint "
	"utf8.codes utf8.len utf8.offset xpcall";
/* clang-format on */

START_TEST(nothing_else_can_be_reached)
{
	becomes(reach, "", allowed);
}
END_TEST

START_TEST(finalizers_cannot_be_set)
{
	fails("function() setmetatable({}, {__gc = function() end}) end", "finalizers");
	fails("function() setmetatable({}, {__gc = false}) end", "finalizers");
	becomes("function() local ran = false\n"
	        "local mt = {} local t = setmetatable({}, mt) mt.__gc = function() ran = true end\n"
	        "t = nil for i = 1, 20000 do t = {} end return tostring(ran) end",
	        "", "false");
}
END_TEST

START_TEST(metatables_otherwise_work)
{
	becomes("function(m) local t = setmetatable({}, {__index = function(_, k) return k .. '!' "
	        "end})\n"
	        "return t.x .. #getmetatable(setmetatable({}, {__metatable = 'own'})) end",
	        "", "x!3");
	fails("function() setmetatable(setmetatable({}, {__metatable = 1}), {}) end", "protected");
	fails("function() setmetatable(5, {}) end", "table expected");
}
END_TEST

START_TEST(a_handler_gets_the_error)
{
	becomes("function(m) local good, words = xpcall(error, function(e) return e .. '?' end, "
	        "'no')\n"
	        "return tostring(good) .. words end",
	        "", "falseno?");
	becomes("function(m) return table.concat({select(2, xpcall(math.max, error, 3, 9, 4))}) "
	        "end",
	        "", "9");
	fails("function() xpcall(error) end", "function expected");
}
END_TEST

START_TEST(a_handler_cannot_outlive_the_limit)
{
	fails("function() xpcall(function() while true do end end,"
	      " function() while true do end end) end",
	      "time limit");
	fails("function() while true do xpcall(error, function() while true do end end) end end",
	      "time limit");
	becomes("function(m) xpcall(error, function(e) error(e) end, 1) return m end", "m", "m");
}
END_TEST

START_TEST(the_collector_only_counts)
{
	becomes("function() return type(collectgarbage('count')) end", "", "number");
	fails("function() collectgarbage() end", "bad argument");
	fails("function() collectgarbage('stop') end", "invalid option 'stop'");
}
END_TEST

UNIT_TESTS("script/lua_base", nothing_else_can_be_reached, finalizers_cannot_be_set,
           metatables_otherwise_work, a_handler_gets_the_error, a_handler_cannot_outlive_the_limit,
           the_collector_only_counts)
