# Process 1 of a test's namespaces: lays out a file system in which one mail system is installed and nothing else can be
# harmed, then runs the test there and waits for it, reaping whatever daemons leave behind.
#
# usage: sh enter.sh IMAGE MOUNTPOINT WORKSPACE PROGRAM [ARGUMENT...]
set -eu
image=$1 mountpoint=$2 workspace=$3 program=$4
shift 4

mount -t tmpfs -o mode=755 tmpfs "$mountpoint"
mkdir "$mountpoint/upper" "$mountpoint/work" "$mountpoint/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$mountpoint/upper,workdir=$mountpoint/work" "$mountpoint/root"
root=$mountpoint/root

# Whatever mail system the machine has is not ours.
rm -rf "$root/etc/postfix" "$root/usr/lib/postfix" "$root/etc/aliases" "$root/etc/aliases.db" "$root/etc/aliases.lmdb"
rm -f "$root/usr/sbin/postfix" "$root/usr/sbin/sendmail" "$root/usr/lib/sendmail"

for directory in tmp run home var/mail var/spool/postfix var/lib/postfix; do
    mkdir -p "$root/$directory"
    mount -t tmpfs -o mode=755 tmpfs "$root/$directory"
done
chmod 1777 "$root/tmp"
# A copy, since the test program may be built anew while it runs.
cat "$program" >"$root/run/test"
chmod 755 "$root/run/test"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm"
chmod 1777 "$root/dev/shm"
mkdir -p "$root$workspace"
mount --bind "$workspace" "$root$workspace"
mount -o remount,bind,ro "$root$workspace"

# The mail system. Programs are large: they are shown, not copied, but for the two whose group must be this system's.
mkdir -p "$root/usr/lib/postfix"
mount --bind "$image/usr/lib/postfix" "$root/usr/lib/postfix"
for program in "$image"/usr/sbin/*; do
    name=${program##*/}
    rm -f "$root/usr/sbin/$name"
    case $name in
    postdrop | postqueue)
        cp "$program" "$root/usr/sbin/$name"
        chgrp 5102 "$root/usr/sbin/$name"
        chmod 2555 "$root/usr/sbin/$name"
        ;;
    *)
        : >"$root/usr/sbin/$name"
        mount --bind "$program" "$root/usr/sbin/$name"
        ;;
    esac
done
for name in mailq newaliases; do
    rm -f "$root/usr/bin/$name"
    ln -s ../sbin/sendmail "$root/usr/bin/$name"
done
ln -s ../sbin/sendmail "$root/usr/lib/sendmail"
cp -R "$image/etc/postfix" "$root/etc/postfix"
chown -R 0:0 "$root/etc/postfix"
for library in "$image"/usr/lib/*-linux-gnu/*.so*; do
    [ -e "$library" ] || continue
    target=$root${library#"$image"}
    [ -e "$target" ] || ln -s "$library" "$target"
done

hostname mail.example.com
ip link set lo up
for network in 192.0.2.1/24 198.51.100.1/24 203.0.113.1/24; do
    ip address add "$network" dev lo
done

FERROFIX_STAGE=inside chroot "$root" /run/test "$@" && status=0 || status=$?
exit "$status"
