"""The pages of the browse app, and the parts that only they use."""
