"""Running the product: settings, the fengxiang command line, the local stack, and what a cluster needs.

deploy.settings may be imported by anyone but models; guard, logs and signals by what runs as a process; the rest by
nobody.
"""
