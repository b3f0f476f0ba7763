"""Parts that the pages share: opening a run, the state in the URL, pictures, the tree, the panel."""
