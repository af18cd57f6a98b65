# What the scripts of the client's Pod have in common.
set -eu
cd /tmp
bin=/opt/kafka/bin

cat > client.properties <<END
security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location=/tls/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=/tls/ca.crt
END

quietly() {
  if ! "$@" > out.log 2>&1; then
    cat out.log >&2
    exit 1
  fi
}

tool() {
  name=$1
  shift
  "$bin/$name" --bootstrap-server "$BOOTSTRAP" --command-config client.properties "$@"
}

