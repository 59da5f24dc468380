#!/bin/sh
# Starts one of the three brokers: KAFKA_NODE 1 to 3, KAFKA_CLUSTER the cluster's name (22 characters, base64),
# KAFKA_OUTSIDE host:port at which sensors elsewhere reach this broker. Formats an empty disk first.
set -eu
: "${KAFKA_NODE:?} ${KAFKA_CLUSTER:?} ${KAFKA_OUTSIDE:?}"
given="${KAFKA_PROPERTIES:-/etc/kafka/spanwatch.properties}"
secrets="${KAFKA_SECRETS:-/run/secrets}"
properties="${KAFKA_RUN:-/tmp}/server.properties"
{
    cat "$given"
    echo "node.id=$KAFKA_NODE"
    echo "advertised.listeners=INSIDE://kafka-$KAFKA_NODE:9092,OUTSIDE://$KAFKA_OUTSIDE,CONTROLLER://kafka-$KAFKA_NODE:9093"
    echo "ssl.keystore.location=$secrets/kafka-$KAFKA_NODE.pem"
    echo "ssl.truststore.location=$secrets/ca.pem"
} >"$properties"
PATH="$PATH:/opt/kafka/bin"
kafka-storage.sh format --ignore-formatted --cluster-id "$KAFKA_CLUSTER" --config "$properties"
exec kafka-server-start.sh "$properties"
