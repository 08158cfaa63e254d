//! One pass over the neutral request before any encoder sees it: tool calls are paired with their results, names
//! and ids fit the target, and what the target cannot do at all is refused.
