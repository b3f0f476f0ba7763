from barlow_core.cli import main

main()
