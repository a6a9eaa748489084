/* The filter is made by libseccomp; the kernel remembers which calls it always lets pass, so that these
 * cost nothing. Answers are EPERM and not a signal: a program that only tries goes on without. */
#include "gateway/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Headers older than the kernel lack the last ones. */
enum { NEWEST_CAPABILITY = 63, NEW_TIME_NAMESPACE = 0x80, QUERY_PERSONALITY = -1 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MAY_TRACE = 1 }; /* the leak checker stops its own process with it */
#else
enum { MAY_TRACE = 0 };
#endif

/* Looking into other processes. */
static const char *const tracing[] = { "kcmp", "pidfd_getfd", "process_vm_readv",
                                       "process_vm_writev", "ptrace" };

static const char *const refused[] = {
    /* other file systems, other roots */
    "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
    "open_tree", "pivot_root", "umount", "umount2",
    /* other namespaces; clone and unshare: see namespaces() */
    "setns",
    /* files by handle, beyond the rights of folders */
    "name_to_handle_at", "open_by_handle_at",
    /* what the kernel has had holes in, and a gateway has no use for */
    "add_key", "bpf", "fanotify_init", "io_uring_enter", "io_uring_register", "io_uring_setup",
    "keyctl", "lookup_dcookie", "modify_ldt", "perf_event_open", "request_key", "userfaultfd",
    "vm86", "vm86old",
    /* the machine */
    "acct", "create_module", "delete_module", "finit_module", "init_module", "ioperm", "iopl",
    "kexec_file_load", "kexec_load", "nfsservctl", "query_module", "quotactl", "quotactl_fd",
    "reboot", "setdomainname", "sethostname", "swapoff", "swapon", "syslog", "vhangup",
    /* the clock */
    "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64",
    "settimeofday", "stime",
    /* of old */
    "_sysctl", "get_kernel_syms", "sysfs", "uselib", "ustat"
};

/* Root without these is a user to whom all files belong. The unit leaves less. */
static const int kept[] = {
    CAP_CHOWN,       CAP_DAC_OVERRIDE, CAP_FOWNER,           CAP_FSETID,
    CAP_KILL,        CAP_SETGID,       CAP_SETUID,           CAP_SETPCAP,
    CAP_NET_RAW,     CAP_AUDIT_WRITE,  CAP_NET_BIND_SERVICE, CAP_SYS_NICE,
    CAP_SYS_RESOURCE
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_kept(int capability)
{
    for (size_t i = 0; i < COUNT(kept); i++)
        if (kept[i] == capability)
            return true;
    return false;
}

/* libseccomp's words for its own failures are errno values, negative. */
static bool worked(int rc, const char *what, struct err *err)
{
    return rc == 0 || FAIL(err, FAIL_LOCAL, 0, "%s: %s", what, strerror(rc < 0 ? -rc : errno));
}

/* A call that an architecture does not have, or that libseccomp has not heard of, needs no rule. */
static bool refuse_all(scmp_filter_ctx f, const char *const *list, size_t n, int *calls,
                       struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(list[i]);

        if (number == __NR_SCMP_ERROR)
            continue;
        if (!worked(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), number, 0), list[i], err))
            return false;
        ++*calls;
    }
    return true;
}

/* clone and unshare make namespaces by flags. Those of clone3 are where no filter can see them: it is
 * answered as by a kernel without it, and libc takes clone instead. */
static bool namespaces(scmp_filter_ctx f, int *calls, struct err *err)
{
    static const scmp_datum_t flags[] = { CLONE_NEWNS,  CLONE_NEWCGROUP,   CLONE_NEWUTS,
                                          CLONE_NEWIPC, CLONE_NEWUSER,     CLONE_NEWPID,
                                          CLONE_NEWNET, NEW_TIME_NAMESPACE };
    const unsigned at = seccomp_arch_native() == SCMP_ARCH_S390X ? 1 : 0;

    for (size_t i = 0; i < COUNT(flags); i++) {
        struct scmp_arg_cmp clone_has = { at, SCMP_CMP_MASKED_EQ, flags[i], flags[i] };
        struct scmp_arg_cmp unshare_has = { 0, SCMP_CMP_MASKED_EQ, flags[i], flags[i] };

        /* clone has the signal of its end where the others have the bit for time */
        if (flags[i] != NEW_TIME_NAMESPACE &&
            !worked(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, clone_has),
                    "clone", err))
            return false;
        if (!worked(
                seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1, unshare_has),
                "unshare", err))
            return false;
    }
    *calls += 3;
    return worked(seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3",
                  err);
}

/* Typing into the terminal it was started from. The kernel reads 32 bits, so only they are compared. */
static bool terminals(scmp_filter_ctx f, int *calls, struct err *err)
{
    const scmp_datum_t requests[] = { TIOCSTI, TIOCLINUX };

    for (size_t i = 0; i < COUNT(requests); i++) {
        struct scmp_arg_cmp is = { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i] };

        if (!worked(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1, is), "ioctl",
                    err))
            return false;
    }
    ++*calls;
    return true;
}

/* Memory without random addresses, or data that can be executed. Asking is allowed. */
static bool personalities(scmp_filter_ctx f, int *calls, struct err *err)
{
    struct scmp_arg_cmp sets = { 0, SCMP_CMP_NE, (uint32_t)QUERY_PERSONALITY, 0 };

    ++*calls;
    return worked(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1, sets),
                  "personality", err);
}

/* Programs of 32 bits are held to the same. An ABI that is not listed here gets EPERM for all. */
static bool architectures(scmp_filter_ctx f, struct err *err)
{
    uint32_t native = seccomp_arch_native(), other = 0;

    if (native == SCMP_ARCH_X86_64)
        other = SCMP_ARCH_X86;
    else if (native == SCMP_ARCH_AARCH64)
        other = SCMP_ARCH_ARM;
    else if (native == SCMP_ARCH_S390X)
        other = SCMP_ARCH_S390;
    return worked(seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)), "filter",
                  err) &&
           (other == 0 || worked(seccomp_arch_add(f, other), "filter", err));
}

static bool filter(int *calls, struct err *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int n = 0;
    bool ok = f != NULL || FAIL(err, FAIL_LOCAL, 0, "there is no memory for the filter");

    ok = ok && architectures(f, err) && refuse_all(f, refused, COUNT(refused), &n, err) &&
         (MAY_TRACE || refuse_all(f, tracing, COUNT(tracing), &n, err)) &&
         namespaces(f, &n, err) && terminals(f, &n, err) &&
         (MAY_TRACE || personalities(f, &n, err));
    if (ok) {
        /* Where one of these is not to be had, the filter does without. The last: nothing runs here
         * that would make use of speculation, and old kernels would slow down all else. */
        (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
        (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1);
        (void)seccomp_attr_set(f, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own words */
        ok = worked(seccomp_load(f), "seccomp", err);
    }
    if (ok)
        *calls = n;
    if (f != NULL)
        seccomp_release(f);
    return ok;
}

/* Root's programs get what is in the bounding set. Who may not change it, and is not root, gets nothing
 * by exec once there are no new privileges. */
static bool bound(const struct __user_cap_data_struct has[2], uint64_t *gone, struct err *err)
{
    bool may = (has[0].effective & CAP_TO_MASK(CAP_SETPCAP)) != 0, ok = true;

    if (!may && geteuid() != 0)
        return true;
    for (int c = 0; c <= NEWEST_CAPABILITY; c++) {
        if (is_kept(c) || prctl(PR_CAPBSET_READ, c, 0, 0, 0) != 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0)
            *gone |= UINT64_C(1) << c;
        else if (ok)
            ok = worked(-errno, "capabilities of programs", err);
    }
    return ok;
}

static bool capabilities(int *n, struct err *err)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct has[2];
    uint64_t gone = 0;
    bool ok, fewer = false;

    if (syscall(SYS_capget, &head, has) != 0)
        return worked(-errno, "capabilities", err);
    ok = bound(has, &gone, err);
    for (int c = 0; c <= NEWEST_CAPABILITY; c++) {
        struct __user_cap_data_struct *word = &has[CAP_TO_INDEX(c)];

        if (is_kept(c) || ((word->permitted | word->inheritable) & CAP_TO_MASK(c)) == 0)
            continue;
        word->permitted &= ~CAP_TO_MASK(c);
        word->effective &= ~CAP_TO_MASK(c);
        word->inheritable &= ~CAP_TO_MASK(c);
        gone |= UINT64_C(1) << c;
        fewer = true;
    }
    if (fewer && syscall(SYS_capset, &head, has) != 0)
        return ok && worked(-errno, "capabilities", err);
    *n = __builtin_popcountll(gone);
    return ok;
}

bool confine_process(struct confined *done, struct err *err)
{
    struct err later;
    bool ok;

    *done = (struct confined) { 0 };
    ok =
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || worked(-errno, "no new privileges", err);
    if (!capabilities(&done->capabilities, ok ? err : &later))
        ok = false;
    if (!filter(&done->calls, ok ? err : &later))
        ok = false;
    return ok;
}
