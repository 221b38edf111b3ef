"""Watches over the query log: alarms, the daily verification, feeds to a local SIEM, and numbers to be scraped."""
