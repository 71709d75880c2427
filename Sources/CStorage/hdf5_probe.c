// What the library does with a damaged or forged file is tried in a process of its own first: HDF5 1.10 follows what it
// has not checked, and whoever lets it do that in his own process ends with it.

#include "CHDF5Shim.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEEPEST = 64 };

typedef struct {
    /// The most bytes that anything in the file may claim.
    size_t limit;
    /// Objects that may still be opened.
    long objects;
    /// Whether elements are read too.
    int reads_elements;
} probe;

static size_t byte_count(hid_t type, hid_t space, size_t limit) {
    if (type < 0 || space < 0) return 0;
    hssize_t count = H5Sget_simple_extent_npoints(space);
    size_t size = H5Tget_size(type);
    return count > 0 && size > 0 && (size_t)count <= limit / size ? (size_t)count * size : 0;
}

static herr_t probe_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data) {
    (void)info;
    const probe *bounds = data;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return 0;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    size_t bytes = byte_count(type, space, bounds->limit);
    void *values = bytes > 0 ? calloc(1, bytes) : NULL;
    if (values && H5Aread(attribute, type, values) >= 0) H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    free(values);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    return 0;
}

static void probe_dataset(hid_t dataset, const probe *bounds) {
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset), creation = H5Dget_create_plist(dataset);
    if (creation >= 0) {
        H5Pget_layout(creation);
        H5Pget_external_count(creation);
        H5Pclose(creation);
    }
    int is_text = type >= 0 && H5Tget_class(type) == H5T_STRING;
    size_t bytes = is_text || bounds->reads_elements ? byte_count(type, space, bounds->limit) : 0;
    void *values = bytes > 0 ? calloc(1, bytes) : NULL;
    if (values && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0) {
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    }
    free(values);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
}

static void probe_object(hid_t object, int depth, probe *bounds) {
    hsize_t place = 0;
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &place, probe_attribute, bounds);
    H5I_type_t kind = H5Iget_type(object);
    if (kind == H5I_DATASET) probe_dataset(object, bounds);
    if (kind != H5I_GROUP || depth >= DEEPEST) return;
    long long count = storage_h5_member_count(object);
    for (long long index = 0; index < count && bounds->objects-- > 0; index++) {
        char name[1024];
        ssize_t length = storage_h5_member_name(object, (hsize_t)index, name, sizeof name);
        if (length <= 0 || length >= (ssize_t)sizeof name || storage_h5_is_hard_link(object, name) != 1) continue;
        hid_t member = H5Oopen(object, name, H5P_DEFAULT);
        if (member < 0) continue;
        probe_object(member, depth + 1, bounds);
        H5Oclose(member);
    }
}

/// Closes what was open before the fork: a lock of the parent's lasts as long as any copy of its descriptor.
static void leave_to_parent(void) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3, ~0U, 0) == 0) return;
#endif
    struct rlimit files;
    const long most = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 65536 ? (long)files.rlim_cur : 65536;
    for (int descriptor = 3; descriptor < most; descriptor++) close(descriptor);
}

int storage_h5_survives(const char *path, size_t byte_count, int reads_elements) {
    pid_t child = fork();
    // Without a second process there is no trial; the file is read all the same.
    if (child < 0) return 1;
    if (child == 0) {
        leave_to_parent();
        const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGXCPU};
        for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) signal(signals[index], SIG_DFL);
        // Ctrl-C goes to all processes of a terminal: it must not look as if the file had ended this one.
        const int wishes[] = {SIGINT, SIGTERM, SIGHUP};
        for (size_t index = 0; index < sizeof wishes / sizeof *wishes; index++) signal(wishes[index], SIG_IGN);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        // What goes round in circles ends; a large file has its time.
        rlim_t seconds = 4 + byte_count / 50000000;
        setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds});
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        // The library writes what it fails to free to standard error, as malloc does.
        close(STDERR_FILENO);
        // It also reads members of structures that a damaged message has left unwritten: harmless where the memory happens to
        // fit, the end where it does not. Here all memory that nobody has written is such that it ends.
        H5set_free_list_limits(0, 0, 0, 0, 0, 0);
        H5garbage_collect();
        mallopt(M_PERTURB, 0xA5);
        hid_t file = storage_h5_open(path);
        if (file >= 0) {
            probe bounds = {.limit = byte_count < 1 << 24 ? 1 << 24 : byte_count,
                            .objects = 4096 + (long)(byte_count / 8),
                            .reads_elements = reads_elements};
            hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
            if (root >= 0) {
                probe_object(root, 0, &bounds);
                H5Gclose(root);
            }
            H5Fclose(file);
        }
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return 1;
    }
    return !WIFSIGNALED(status);
}
