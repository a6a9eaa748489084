/* Tries the ways out of the sandbox of `waybill serve`, each in a process of its own and with arguments
 * that harm nothing when it succeeds. Compiled and started by test_sandbox.py:
 *   breakout REPORT GATEWAY_PID FOLDER   a line for each: its name, and `through`, the errno, or `signal`
 *   breakout without-seccomp PROGRAM...  runs a program where the kernel has no seccomp, as it seems
 * GATEWAY_PID is looked into. FOLDER is ours; with a set-user-ID copy of this program in it, `setuid`,
 * which says by its status whether it became root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A way out is a line. */
/* clang-format off */
enum { NEW_TIME = 0x80, NOBODY = 65534, MOUNT_SETATTR = 442 };
enum { X32 = 0x40000000, MOUNT_I386 = 21, GETPID_I386 = 20 };

static pid_t gateway;
static const char *folder;

/* ---- the gateway itself ----------------------------------------------------------------- */

static const char *of_gateway(const char *name)
{
    static char path[100];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)gateway, name);
    return path;
}

static long open_memory(void) { return open(of_gateway("mem"), O_RDONLY); }
static long open_memory_map(void) { return open(of_gateway("maps"), O_RDONLY); }
static long open_environment(void) { return open(of_gateway("environ"), O_RDONLY); }

static long open_descriptor(void)
{
    char to[100];

    return readlink(of_gateway("fd/1"), to, sizeof(to));
}

static long trace_gateway(void) { return ptrace(PTRACE_SEIZE, gateway, NULL, NULL); }

static long trace_child(void)
{
    pid_t pid = fork();
    long rc;

    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    rc = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
    (void)kill(pid, SIGKILL);
    return rc;
}

static long vm(long number)
{
    char octet;
    struct iovec here = { &octet, 1 }, there = { NULL, 1 };

    return syscall(number, gateway, &here, 1UL, &there, 1UL, 0UL);
}

static long read_memory(void) { return vm(SYS_process_vm_readv); }
static long write_memory(void) { return vm(SYS_process_vm_writev); }

static long take_descriptor(void)
{
    return syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, gateway, 0), 1, 0);
}

static long compare(void) { return syscall(SYS_kcmp, getpid(), gateway, 2, 0UL, 0UL); }

/* ---- namespaces -------------------------------------------------------------------------- */

static long cloned(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        _exit(0);
    return pid;
}

static long clone_user(void) { return cloned(CLONE_NEWUSER); }
static long clone_mounts(void) { return cloned(CLONE_NEWNS); }
static long clone_network(void) { return cloned(CLONE_NEWNET); }

static long clone3_user(void)
{
    uint64_t args[8] = { CLONE_NEWUSER, [4] = SIGCHLD };
    long pid = syscall(SYS_clone3, args, sizeof(args));

    if (pid == 0)
        _exit(0);
    return pid;
}

static long unshare_user(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS); }
static long unshare_mounts(void) { return unshare(CLONE_NEWNS); }
static long unshare_network(void) { return unshare(CLONE_NEWNET); }
static long unshare_processes(void) { return unshare(CLONE_NEWPID); }
static long unshare_ipc(void) { return unshare(CLONE_NEWIPC); }
static long unshare_names(void) { return unshare(CLONE_NEWUTS); }
static long unshare_cgroups(void) { return unshare(CLONE_NEWCGROUP); }
static long unshare_time(void) { return unshare(NEW_TIME); }
static long enter(void) { return setns(open("/proc/self/ns/net", O_RDONLY), 0); }

/* ---- other file systems: folder is no mount point, and becomes none ----------------------- */

static long mount_one(void)
{
    long rc = mount("none", folder, "tmpfs", 0, "size=64k");

    if (rc == 0)
        (void)umount2(folder, MNT_DETACH);
    return rc;
}

static long unmount(void) { return umount2(folder, 0); }
static long fs_open(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long fs_config(void) { return syscall(SYS_fsconfig, -1, 0, NULL, NULL, 0); }
static long fs_mount(void) { return syscall(SYS_fsmount, -1, 0, 0); }
static long fs_pick(void) { return syscall(SYS_fspick, AT_FDCWD, "/", 0); }
static long tree(void) { return syscall(SYS_open_tree, AT_FDCWD, folder, 1); }
static long move(void) { return syscall(SYS_move_mount, -1, "", -1, "", 0); }
static long pivot(void) { return syscall(SYS_pivot_root, folder, folder); }
static long root(void) { return chroot("/"); }

static long mount_attributes(void)
{
    return syscall(MOUNT_SETATTR, AT_FDCWD, folder, 0, NULL, 0UL);
}

static long handle_of(void)
{
    struct file_handle h = { 0 };
    int id;

    return syscall(SYS_name_to_handle_at, AT_FDCWD, folder, &h, &id, 0);
}

static long open_handle(void)
{
    struct file_handle h = { 0 };

    return syscall(SYS_open_by_handle_at, AT_FDCWD, &h, O_RDONLY);
}

static long make_device(void)
{
    char path[300];
    long rc;

    (void)snprintf(path, sizeof(path), "%s/disk", folder);
    rc = mknod(path, S_IFBLK | 0600, 0);
    if (rc == 0)
        (void)unlink(path);
    return rc;
}

/* ---- the kernel -------------------------------------------------------------------------- */

static long bpf(void)
{
    union bpf_attr a = { 0 };

    return syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &a, sizeof(a));
}

static long perf(void)
{
    struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a) };

    return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0UL);
}

static long faults(void) { return syscall(SYS_userfaultfd, 0); }
static long key_control(void) { return syscall(SYS_keyctl, 0, -2, 0); }
static long key_add(void) { return syscall(SYS_add_key, "none", "none", NULL, 0UL, -2); }
static long key_request(void) { return syscall(SYS_request_key, "none", "none", NULL, 0); }
static long ring_setup(void) { return syscall(SYS_io_uring_setup, 1, NULL); }
static long ring_enter(void) { return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0UL); }
static long ring_register(void) { return syscall(SYS_io_uring_register, -1, 0, NULL, 0); }
static long watch_files(void) { return syscall(SYS_fanotify_init, 0, 0); }
static long module(void) { return syscall(SYS_init_module, NULL, 0UL, ""); }
static long module_of_file(void) { return syscall(SYS_finit_module, -1, "", 0); }
static long module_away(void) { return syscall(SYS_delete_module, "no_such_module", 0); }
static long kexec(void) { return syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0xffffUL); }
static long kernel_log(void) { return syscall(SYS_syslog, 10, NULL, 0); }
#ifdef SYS_kexec_file_load
static long kexec_file(void) { return syscall(SYS_kexec_file_load, -1, -1, 0UL, "", 0xffffUL); }
#endif

/* ---- the machine ------------------------------------------------------------------------- */

static long swap_on(void) { return syscall(SYS_swapon, "/nowhere", 0); }
static long swap_off(void) { return syscall(SYS_swapoff, "/nowhere"); }
static long boot(void) { return syscall(SYS_reboot, 0, 0, 0, NULL); }
static long host_name(void) { return syscall(SYS_sethostname, NULL, -1); }
static long domain_name(void) { return syscall(SYS_setdomainname, NULL, -1); }
static long accounting(void) { return syscall(SYS_acct, "/nowhere"); }
static long quota(void) { return syscall(SYS_quotactl, 0, "/nowhere", 0, NULL); }
static long set_time(void) { return syscall(SYS_settimeofday, NULL, NULL); }

static long set_clock(void)
{
    struct timespec never = { 0, -1 };

    return syscall(SYS_clock_settime, 0, &never);
}

static long adjust(long number)
{
    char modes_none[256] = { 0 };

    return number == SYS_adjtimex ? syscall(number, modes_none)
                                  : syscall(number, 0, modes_none);
}

static long adjust_time(void) { return adjust(SYS_adjtimex); }
static long adjust_clock(void) { return adjust(SYS_clock_adjtime); }
static long type_in(void) { return ioctl(0, TIOCSTI, ""); }

/* The kernel looks at 32 bits of it. */
static long type_in_wide(void) { return syscall(SYS_ioctl, 0, (1UL << 32) | TIOCSTI, ""); }
static long same_addresses(void) { return personality(ADDR_NO_RANDOMIZE); }

#ifdef __x86_64__
static long ports_all(void) { return syscall(SYS_iopl, 3); }
static long ports(void) { return syscall(SYS_ioperm, 0x80UL, 1UL, 1); }
static long segments(void) { return syscall(SYS_modify_ldt, 0, NULL, 0UL); }
static long mount_x32(void) { return syscall(X32 | SYS_mount, NULL, NULL, NULL, 0UL, NULL); }

static long call_i386(long number)
{
    long rc;

    __asm__ volatile("int $0x80"
                     : "=a"(rc)
                     : "a"(number), "b"(0L), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = rc < 0 ? (int)-rc : 0;
    return rc < 0 ? -1 : 0;
}

static long mount_i386(void) { return call_i386(MOUNT_I386); }
static long still_i386(void) { return call_i386(GETPID_I386); }
#endif

/* ---- rights ------------------------------------------------------------------------------ */

static long take_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct has[2];
    const uint32_t more = CAP_TO_MASK(CAP_SYS_ADMIN) | CAP_TO_MASK(CAP_SYS_PTRACE);

    if (syscall(SYS_capget, &head, has) != 0)
        return -1;
    has[0].permitted |= more;
    has[0].effective |= more;
    return syscall(SYS_capset, &head, has);
}

static long new_privileges(void)
{
    errno = EPERM;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -1;
}

static long become_root(void)
{
    char path[300];
    int status = 1;
    pid_t pid;

    (void)snprintf(path, sizeof(path), "%s/setuid", folder);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 &&
            (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0))
            _exit(2);
        (void)execl(path, path, "am-i-root", (char *)NULL);
        _exit(3);
    }
    (void)waitpid(pid, &status, 0);
    errno = WIFEXITED(status) && WEXITSTATUS(status) == 1 ? EPERM : EINVAL;
    return status == 0 ? 0 : -1;
}

/* ---- what a program must still be able to do ---------------------------------------------- */

static void *nothing(void *arg)
{
    return arg;
}

static long still_threads(void)
{
    pthread_t t;

    errno = pthread_create(&t, NULL, nothing, NULL);
    return errno == 0 && pthread_join(t, NULL) == 0 ? 0 : -1;
}

static long still_unshares(void) { return unshare(CLONE_FILES | CLONE_FS); }
static long still_asks_personality(void) { return personality(0xffffffff); }

static long still_runs(void)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", "true | cat", (char *)NULL);
        _exit(1);
    }
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

#define TRY(function)                                                                          \
    {                                                                                          \
#function, function                                                                    \
    }

static const struct {
    const char *name;
    long (*try)(void);
} tries[] = {
    TRY(open_memory), TRY(open_memory_map), TRY(open_environment), TRY(open_descriptor),
    TRY(trace_gateway), TRY(trace_child), TRY(read_memory), TRY(write_memory),
    TRY(take_descriptor), TRY(compare),

    TRY(clone_user), TRY(clone_mounts), TRY(clone_network), TRY(clone3_user), TRY(unshare_user),
    TRY(unshare_mounts), TRY(unshare_network), TRY(unshare_processes), TRY(unshare_ipc),
    TRY(unshare_names), TRY(unshare_cgroups), TRY(unshare_time), TRY(enter),

    TRY(mount_one), TRY(unmount), TRY(fs_open), TRY(fs_config), TRY(fs_mount), TRY(fs_pick),
    TRY(tree), TRY(move), TRY(mount_attributes), TRY(pivot), TRY(root), TRY(handle_of),
    TRY(open_handle), TRY(make_device),

    TRY(bpf), TRY(perf), TRY(faults), TRY(key_control), TRY(key_add), TRY(key_request),
    TRY(ring_setup), TRY(ring_enter), TRY(ring_register), TRY(watch_files), TRY(module),
    TRY(module_of_file), TRY(module_away), TRY(kexec), TRY(kernel_log),
#ifdef SYS_kexec_file_load
    TRY(kexec_file),
#endif
    TRY(swap_on), TRY(swap_off), TRY(boot), TRY(host_name), TRY(domain_name), TRY(accounting),
    TRY(quota), TRY(set_time), TRY(set_clock), TRY(adjust_time), TRY(adjust_clock), TRY(type_in),
    TRY(type_in_wide), TRY(same_addresses),
#ifdef __x86_64__
    TRY(ports_all), TRY(ports), TRY(segments), TRY(mount_x32), TRY(mount_i386), TRY(still_i386),
#endif
    TRY(take_capabilities), TRY(new_privileges), TRY(become_root),

    TRY(still_threads), TRY(still_unshares), TRY(still_asks_personality), TRY(still_runs),
};

static void report(FILE *f, const char *name, int status)
{
    if (!WIFEXITED(status))
        (void)fprintf(f, "%s signal\n", name);
    else if (WEXITSTATUS(status) == 0)
        (void)fprintf(f, "%s through\n", name);
    else
        (void)fprintf(f, "%s %s\n", name, strerrorname_np(WEXITSTATUS(status)));
}

static int without_seccomp(char **argv)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(rules) / sizeof(rules[0]), rules };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        (void)execv(argv[0], argv);
    perror("without-seccomp");
    return 1;
}

int main(int argc, char **argv)
{
    FILE *f;

    /* A copy that is set-user-ID does this for anybody, and nothing else. */
    if (geteuid() != getuid() || (argc == 2 && strcmp(argv[1], "am-i-root") == 0))
        return geteuid() == 0 ? 0 : 1;
    if (argc >= 3 && strcmp(argv[1], "without-seccomp") == 0)
        return without_seccomp(argv + 2);
    if (argc != 4 || (f = fopen(argv[1], "w")) == NULL)
        return 2;
    gateway = atoi(argv[2]);
    folder = argv[3];
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        int status = 0;
        pid_t pid;

        (void)fflush(f);
        pid = fork();
        if (pid == 0) {
            errno = 0;
            _exit(tries[i].try() >= 0 ? 0 : errno);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return 1;
        report(f, tries[i].name, status);
    }
    return fclose(f) == 0 ? 0 : 1;
}
