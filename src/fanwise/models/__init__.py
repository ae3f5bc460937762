"""One call to one model: transport, dialects, structured output, prices, registry."""
