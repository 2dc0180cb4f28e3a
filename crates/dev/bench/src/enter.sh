# Process 1 of a run's namespaces: lays out a root directory that has one mail system at Postfix's paths, then runs the
# command there. Nothing is copied on write: what the machine has is bound as it is, so that no layer between adds
# costs. Spool and mailboxes are on the file system in WORK/disk, if there is one, and in WORK otherwise.
#
# usage: sh enter.sh IMAGE REFERENCE WORK COMMAND [ARGUMENT...]
set -eu
image=$1 reference=$2 work=$3 program=$4
shift 4

root=$work/root
mkdir "$root" "$work/store" "$work/log"
if [ -e "$work/disk" ]; then
    # Nothing in the background while we measure.
    mount -o loop,noinit_itable "$work/disk" "$work/store"
fi
mkdir "$work/store/spool" "$work/store/data" "$work/store/mail"
mount -t tmpfs -o mode=755 tmpfs "$root"

show() { # SOURCE TARGET: the same file or directory there
    if [ -L "$1" ]; then
        cp -P "$1" "$2"
    elif [ -d "$1" ]; then
        mkdir -p "$2"
        mount --bind "$1" "$2"
    else
        : >"$2"
        mount --bind "$1" "$2"
    fi
}

for entry in /bin /lib /lib32 /lib64 /libx32 /sbin; do
    if [ -L "$entry" ]; then
        cp -P "$entry" "$root$entry"
    fi
done
mkdir "$root/usr" "$root/usr/lib" "$root/usr/sbin"
for entry in /usr/*; do
    case $entry in
    /usr/lib | /usr/sbin) ;;
    /usr/bin | /usr/share | /usr/lib?*) show "$entry" "$root$entry" ;;
    esac
done
for entry in /usr/lib/*-linux-gnu /usr/lib/locale; do
    [ ! -e "$entry" ] || show "$entry" "$root$entry"
done

# The mail system.
mkdir "$root/usr/lib/postfix"
mount --bind "$image/usr/lib/postfix" "$root/usr/lib/postfix"
for file in "$image"/usr/sbin/*; do
    name=${file##*/}
    case $name in
    postdrop | postqueue)
        cp "$file" "$root/usr/sbin/$name"
        chgrp 5102 "$root/usr/sbin/$name"
        chmod 2555 "$root/usr/sbin/$name"
        ;;
    *) show "$file" "$root/usr/sbin/$name" ;;
    esac
done
mkdir "$root/reference"
mount --bind "$reference" "$root/reference"
show "$program" "$root/bench"

mkdir "$root/etc" "$root/etc/postfix" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/root" \
    "$root/home" "$root/var" "$root/var/log" "$root/var/mail" "$root/var/lib" "$root/var/lib/postfix" "$root/var/spool" \
    "$root/var/spool/postfix"
chmod 1777 "$root/tmp"
cp -R /etc/alternatives /etc/ld.so.conf /etc/ld.so.conf.d "$root/etc/" 2>/dev/null || :
echo "/reference/usr/lib/$(uname -m)-linux-gnu" >>"$root/etc/ld.so.conf"
ldconfig -r "$root"
for name in nsswitch.conf services protocols; do
    [ ! -e "/etc/$name" ] || cp -L "/etc/$name" "$root/etc/$name"
done
mount --bind "$work/store/spool" "$root/var/spool/postfix"
mount --bind "$work/store/data" "$root/var/lib/postfix"
mount --bind "$work/store/mail" "$root/var/mail"
mount --bind "$work/log" "$root/var/log"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    show "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir -m 1777 "$root/dev/shm"

hostname mail.example.com
ip link set lo up
exec chroot "$root" /bench "$@"
