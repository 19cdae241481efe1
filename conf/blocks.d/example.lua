-- Block types in Lua: put a file into /etc/pipetool/blocks.d, or `ptctl load` it. What a definition
-- may have, and what a function finds in self, is told in docs/writing-blocks.md.
--
--   ptctl run 'CLIFeeder() > Sampler(2) > ConsoleSink()'

Drain{
  name = "Sampler",
  doc = [[Passes every n-th message of each canal

What it does not pass is filtered, and counted as "sampled".]],
  params = {
    {name = "n", kind = "int", default = 10, min = 1, live = true,
     doc = "One message of so many passes."},
  },
  example = "CLIFeeder() > Sampler(2) > ConsoleSink()",

  start = function(self)
    self.state.low, self.state.high = 0, 0
  end,

  push = function(self, msg)
    self.state.low = (self.state.low + 1) % self.n
    if self.state.low == 0 then self:send(msg) else self:drop(msg, "sampled") end
  end,

  high_push = function(self, msg)
    self.state.high = (self.state.high + 1) % self.n
    if self.state.high == 0 then self:high_send(msg) else self:drop(msg, "sampled") end
  end,
}
