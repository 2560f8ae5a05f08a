"""Every decision of the hub: values in, values out, "now" an argument. A package for each concept; what all speak of is here."""
