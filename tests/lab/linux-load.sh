#!/bin/busybox sh
# load SECONDS SHA256: keep Linux busy that long, in several ways at once; each
# says how often it came round, and FAIL if something was not as it must be.
# /dev/xvda is to have the checksum SHA256, /dev/xvdb may be written to.
end=$(($(date +%s) + $1))
sum=$2

goes_on()
{
    [ "$(date +%s)" -lt $end ]
}

# Processes, in both kinds of ways to make one, and pipes between them.
processes()
{
    n=0
    while goes_on; do
        /bin/busybox true || echo FAIL exec
        [ "$(echo $n | /bin/busybox cat | /bin/busybox cat)" = $n ] ||
            echo FAIL pipe
        n=$((n + 1))
    done
    echo "processes: $n rounds"
}

reading()
{
    n=0
    while goes_on; do
        echo 1 >/proc/sys/vm/drop_caches
        [ "$(sha256sum </dev/xvda)" = "$sum  -" ] || echo FAIL reading
        n=$((n + 1))
    done
    echo "reading: $n rounds"
}

writing()
{
    n=0
    while goes_on; do
        dd if=/dev/urandom of=/tmp/block bs=64k count=16 2>/dev/null
        dd if=/tmp/block of=/dev/xvdb bs=64k seek=$((n % 3 * 16)) 2>/dev/null
        sync
        echo 1 >/proc/sys/vm/drop_caches
        dd if=/dev/xvdb of=/tmp/again bs=64k skip=$((n % 3 * 16)) count=16 \
            2>/dev/null
        cmp /tmp/block /tmp/again || echo FAIL writing
        n=$((n + 1))
    done
    echo "writing: $n rounds"
}

archives()
{
    n=0
    mkdir -p /tmp/tree
    while goes_on; do
        tar -c -f /tmp/archive.tar /bin/busybox /modules /init
        tar -x -f /tmp/archive.tar -C /tmp/tree
        cmp /bin/busybox /tmp/tree/bin/busybox || echo FAIL archives
        rm -rf /tmp/tree/* /tmp/archive.tar
        n=$((n + 1))
    done
    echo "archives: $n rounds"
}

mkdir -p /tmp
mount -t tmpfs none /tmp
processes &
reading &
writing &
archives &
if [ -x /usr/bin/stress-ng ]; then
    stress-ng --quiet --timeout "$1" --cpu 1 --vm 1 --vm-bytes 16M --fork 1 \
        --switch 1 --mmap 1 --mmap-bytes 16M --signal 1 --temp-path /tmp ||
        echo FAIL stress-ng
    echo "stress-ng: done"
fi
wait
echo "load: over"
