"""Running the product: settings, the fengxiang command line, the local stack, and what a cluster needs.

deploy.settings may be imported by anyone but models; the rest is imported by nobody.
"""
