"""Are blindspots found that are known to be there? Pictures with planted blindspots, searched by several methods side by side.

The set-up follows Plumb, Johnson, Cabrera and Talwalkar, "Towards a More Rigorous Science of Blindspot Discovery in Image
Classification Models" (TMLR 2023), whose benchmark is called SpotCheck. From the root of the repository:

    python -m benchmarks.blindspots --help

docs/blindspots.md says what is measured and what came out.
"""
