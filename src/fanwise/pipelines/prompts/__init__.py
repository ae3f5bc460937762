"""Any table, any prompts, any models; and OpenAI Batch files as they are."""
