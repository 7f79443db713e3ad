"""Alert subscriptions: rules over what is stored, firings that are kept before anything is sent, and their delivery.

`rules` says what a rule is; `match` and `windows` decide; `schedule` gives each firing its time; `ledger` keeps
firings and attempts in ClickHouse; `deliver` sends; `agent` is the loop that ties them. See docs/alerts.md.
"""
