"""Every decision that an agent takes alone: values in, values out, "now" an argument."""
