"""HTTP alone: what is asked, what is answered. What is done lies elsewhere."""
