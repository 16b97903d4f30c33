#!/bin/sh
# Makes what the services of compose.yml must know and nobody else may: passwords of
# the stores, and the secrets that every node shares. Run once; it refuses to replace
# secrets that exist, because links and keys die with them.
set -eu
umask 077
cd "$(dirname "$0")"
if [ -e secrets ]; then
	echo "compose/secrets exists already: keep it, and keep a copy of it with your backups" >&2
	exit 1
fi
mkdir secrets.new
random() { openssl rand -hex "$1"; }

postgres=$(random 24)
clickhouse=$(random 24)
redis=$(random 24)
printf '%s' "$postgres" >secrets.new/postgres-password
printf '%s' "$clickhouse" >secrets.new/clickhouse-password

cat >secrets.new/redis.conf <<END
requirepass $redis
save ""
appendonly no
maxmemory-policy noeviction
END

cat >secrets.new/tributary.yml <<END
database: postgres://tributary:$postgres@postgres:5432/tributary?sslmode=disable
clickhouse: clickhouse://tributary:$clickhouse@clickhouse:9000/tributary
redis: redis://:$redis@redis:6379/0
END

# Click ids are signed by the first, API keys stored as hashes under the second.
printf '{"click_keys":{"current":1,"keys":{"1":"%s"}},"key_pepper":"%s"}\n' \
	"$(openssl rand -base64 32)" "$(openssl rand -base64 32)" >secrets.new/secrets.json

# Services read them as users of their own (Tributary 65532, PostgreSQL and Redis 999,
# ClickHouse 101), and compose mounts files as they are: they are readable for all,
# in a directory that only you may enter.
chmod 0444 secrets.new/*
mv secrets.new secrets
echo "made compose/secrets; keep a copy of secrets.json with your backups"
