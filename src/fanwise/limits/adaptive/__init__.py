"""What a provider allows, learned from what it refuses: rules on plain values."""
