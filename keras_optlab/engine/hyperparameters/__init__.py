"""Arguments of every optimizer, and how their values reach a compiled step."""
