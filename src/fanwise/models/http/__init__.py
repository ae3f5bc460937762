"""HTTP as the dialects need it: one request, one answer or stream, deadlines, honest errors."""
