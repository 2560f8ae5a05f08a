"""From reports to what people and the API are shown (hop 11 of a change): states, and figures of the fleet."""
