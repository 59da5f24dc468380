#!/bin/sh
# Says who may do what with spanwatch's topics. Run it again after a change; what is already so stays so.
#   relays   make topics and write to them, and can't read: a stolen sensor tells of nobody else
#   workers  read, and write what they set aside
# KAFKA_RELAYS, KAFKA_WORKERS: names in certificates, separated by spaces. KAFKA_BOOTSTRAP: host:port,…
set -eu
: "${KAFKA_RELAYS:?} ${KAFKA_WORKERS:?} ${KAFKA_BOOTSTRAP:?}"
secrets="${KAFKA_SECRETS:-/run/secrets}"
properties="${KAFKA_RUN:-/tmp}/rights.properties"
cat >"$properties" <<END
security.protocol=SSL
ssl.truststore.type=PEM
ssl.truststore.location=$secrets/ca.pem
ssl.keystore.type=PEM
ssl.keystore.location=$secrets/kafka-1.pem
END
PATH="$PATH:/opt/kafka/bin"

# $1 the operations, $2 the name in the certificate, the rest what it is about
allow() {
    operations=$1 principal="User:$2"
    shift 2
    set -- --resource-pattern-type prefixed "$@"
    for operation in $operations; do set -- --operation "$operation" "$@"; done
    kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP" --command-config "$properties" \
        --add --force --allow-principal "$principal" "$@"
}

for name in $KAFKA_RELAYS; do
    allow "Create Write Describe DescribeConfigs" "$name" --topic spanwatch.
done
for name in $KAFKA_WORKERS; do
    allow "Create Read Write Describe DescribeConfigs" "$name" --topic spanwatch.
    allow "Read Describe" "$name" --group spanwatch
done
