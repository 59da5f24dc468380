#!/bin/sh
# Makes what compose.yaml calls secrets, in a folder that only its owner may enter: an authority of our own, a
# certificate (with its key, PEM) for each broker, relay and worker, and the passwords of the store.
#   deploy/make-secrets.sh                     what is missing, in deploy/secrets
#   deploy/make-secrets.sh FOLDER relay-west   for one more sensor elsewhere
# Nothing that exists is made anew: delete a file to renew it. ca.key signs further certificates; keep it elsewhere.
set -eu
umask 077
folder="${1:-$(dirname "$0")/secrets}"
[ $# -gt 0 ] && shift
mkdir -p "$folder"
cd "$folder"

if [ ! -e ca.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3653 -subj "/CN=spanwatch authority" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout ca.key -out ca.pem
fi

# $1 its name, which is also the host's; SECRETS_NAMES more host names for brokers, as the sensors elsewhere know them
certificate() {
    [ -e "$1.pem" ] && return
    names="DNS:$1,DNS:localhost"
    for more in ${SECRETS_NAMES:-}; do
        case "$more" in *[!0-9.]*) names="$names,DNS:$more" ;; *) names="$names,IP:$more" ;; esac
    done
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    printf 'subjectAltName=%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' "$names" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -extfile "$1.ext" -out "$1.crt"
    cat "$1.key" "$1.crt" >"$1.pem"
    rm "$1.key" "$1.csr" "$1.ext" "$1.crt"
}

for name in "${@:-}"; do
    [ -n "$name" ] && certificate "$name"
done
if [ $# -eq 0 ]; then
    for name in kafka-1 kafka-2 kafka-3 relay worker; do certificate "$name"; done
    [ -e cluster_secret ] || openssl rand -hex 24 >cluster_secret
    [ -e store_password ] || openssl rand -hex 24 >store_password
    # ClickHouse keeps a digest of it, in a file of its own settings.
    digest=$(tr -d '\n' <store_password | openssl dgst -sha256 -r | cut -d' ' -f1)
    [ -e store_user.xml ] || cat >store_user.xml <<END
<clickhouse>
    <users><spanwatch><password_sha256_hex>$digest</password_sha256_hex></spanwatch></users>
</clickhouse>
END
fi
# Containers read them as users of their own, through mounts; the folder keeps everybody else out.
chmod 444 ./*
[ ! -e ca.key ] || chmod 400 ca.key
