"""Files on disk: written whole or not at all, filled shard by shard, and those that ship beside the package."""
