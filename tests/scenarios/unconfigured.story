# Without a configuration nothing is done; a first one that is broken blocks.
node good
plan
broken /etc/kaapana/config/10.toml:1:1: not valid TOML
plan
