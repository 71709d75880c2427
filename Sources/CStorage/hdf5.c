#include "CHDF5Shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

void storage_h5_start(void) {
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

// MARK: Errors

typedef struct {
    char *buffer;
    size_t capacity;
} message;

static herr_t take_innermost(unsigned n, const H5E_error2_t *error, void *data) {
    message *result = data;
    if (n == 0 && error->desc) snprintf(result->buffer, result->capacity, "%s", error->desc);
    return 0;
}

void storage_h5_message(char *buffer, size_t capacity) {
    message result = {buffer, capacity};
    if (capacity == 0) return;
    buffer[0] = 0;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &result);
    H5Eclear2(H5E_DEFAULT);
}

// MARK: Types

static hid_t make_half(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type < 0) return type;
    // Sign at bit 15, five bits of exponent from bit 10 on, ten of fraction; fields before size, as the library asks.
    if (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0) return -1;
    return type;
}

static hid_t make_string(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0) return type;
    if (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) return -1;
    return type;
}

hid_t storage_h5_fixed_string(size_t width) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0) return type;
    if (H5Tset_size(type, width) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLPAD) < 0) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

hid_t storage_h5_type(storage_h5_element element) {
    static hid_t half = -1, string = -1;
    switch (element) {
    case STORAGE_H5_FLOAT16:
        if (half < 0) half = make_half();
        return half;
    case STORAGE_H5_FLOAT32: return H5T_IEEE_F32LE;
    case STORAGE_H5_FLOAT64: return H5T_IEEE_F64LE;
    case STORAGE_H5_UINT8: return H5T_STD_U8LE;
    case STORAGE_H5_UINT16: return H5T_STD_U16LE;
    case STORAGE_H5_INT32: return H5T_STD_I32LE;
    case STORAGE_H5_INT64: return H5T_STD_I64LE;
    case STORAGE_H5_UINT64: return H5T_STD_U64LE;
    case STORAGE_H5_STRING:
        if (string < 0) string = make_string();
        return string;
    }
    return -1;
}

// MARK: Properties

static hid_t checked(hid_t list, int failed) {
    if (list >= 0 && failed) {
        H5Pclose(list);
        return -1;
    }
    return list;
}

hid_t storage_h5_property_list(storage_h5_properties kind) {
    const unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    hid_t list;
    switch (kind) {
    case STORAGE_H5_FILE_ACCESS:
        list = H5Pcreate(H5P_FILE_ACCESS);
        // Format 1.8: no limit of 64 KiB on attributes, an order of members; still read by every library in use.
        return checked(
            list, list < 0 || H5Pset_fclose_degree(list, H5F_CLOSE_STRONG) < 0 ||
                      H5Pset_libver_bounds(list, H5F_LIBVER_V18, H5F_LIBVER_V110) < 0);
    case STORAGE_H5_FILE_CREATION:
    case STORAGE_H5_GROUP_CREATION:
        list = H5Pcreate(kind == STORAGE_H5_FILE_CREATION ? H5P_FILE_CREATE : H5P_GROUP_CREATE);
        return checked(
            list, list < 0 || H5Pset_link_creation_order(list, order) < 0 || H5Pset_attr_creation_order(list, order) < 0 ||
                      H5Pset_obj_track_times(list, 0) < 0);
    case STORAGE_H5_DATASET_CREATION:
        list = H5Pcreate(H5P_DATASET_CREATE);
        return checked(list, list < 0 || H5Pset_attr_creation_order(list, order) < 0 || H5Pset_obj_track_times(list, 0) < 0);
    case STORAGE_H5_LINK_CREATION:
        list = H5Pcreate(H5P_LINK_CREATE);
        return checked(
            list, list < 0 || H5Pset_create_intermediate_group(list, 1) < 0 ||
                      H5Pset_char_encoding(list, H5T_CSET_UTF8) < 0);
    }
    return -1;
}

// MARK: The driver of files that are written

typedef struct {
    H5FD_t public_part;
    storage_h5_sink *sink;
    haddr_t allocated;
    haddr_t end;
} sink_file;

static const haddr_t highest_address = ((haddr_t)1 << 62);

static H5FD_t *sink_open(const char *name, unsigned flags, hid_t properties, haddr_t max_address) {
    (void)name, (void)flags, (void)max_address;
    storage_h5_sink *const *info = H5Pget_driver_info(properties);
    sink_file *file = info ? calloc(1, sizeof *file) : NULL;
    if (file) file->sink = *info;
    return (H5FD_t *)file;
}

static herr_t sink_close(H5FD_t *file) {
    free(file);
    return 0;
}

static int sink_compare(const H5FD_t *a, const H5FD_t *b) {
    const storage_h5_sink *x = ((const sink_file *)a)->sink, *y = ((const sink_file *)b)->sink;
    return (x > y) - (x < y);
}

static herr_t sink_query(const H5FD_t *file, unsigned long *flags) {
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t sink_get_allocated(const H5FD_t *file, H5FD_mem_t type) {
    (void)type;
    return ((const sink_file *)file)->allocated;
}

static herr_t sink_set_allocated(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((sink_file *)file)->allocated = address;
    return 0;
}

static haddr_t sink_get_end(const H5FD_t *file, H5FD_mem_t type) {
    (void)type;
    return ((const sink_file *)file)->end;
}

static herr_t sink_get_handle(H5FD_t *file, hid_t properties, void **handle) {
    (void)properties;
    *handle = &((sink_file *)file)->sink->descriptor;
    return 0;
}

static herr_t sink_read(H5FD_t *base, H5FD_mem_t type, hid_t properties, haddr_t address, size_t size, void *buffer) {
    (void)type, (void)properties;
    sink_file *file = (sink_file *)base;
    char *bytes = buffer;
    while (size > 0) {
        ssize_t got = pread(file->sink->descriptor, bytes, size, (off_t)address);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && !file->sink->failure) file->sink->failure = errno;
        if (got <= 0) {
            // Beyond the end, or lost with a failed write: zeros, as in any sparse file.
            memset(bytes, 0, size);
            return 0;
        }
        bytes += got;
        address += (haddr_t)got;
        size -= (size_t)got;
    }
    return 0;
}

static herr_t sink_write(
    H5FD_t *base, H5FD_mem_t type, hid_t properties, haddr_t address, size_t size, const void *buffer) {
    (void)type, (void)properties;
    sink_file *file = (sink_file *)base;
    const char *bytes = buffer;
    if (address + size > file->end) file->end = address + size;
    while (size > 0 && !file->sink->failure) {
        ssize_t put = pwrite(file->sink->descriptor, bytes, size, (off_t)address);
        if (put < 0) {
            if (errno != EINTR) file->sink->failure = errno;
            continue;
        }
        bytes += put;
        address += (haddr_t)put;
        size -= (size_t)put;
    }
    return 0;
}

static herr_t sink_truncate(H5FD_t *base, hid_t properties, hbool_t closing) {
    (void)properties, (void)closing;
    sink_file *file = (sink_file *)base;
    if (file->end == file->allocated) return 0;
    if (!file->sink->failure && ftruncate(file->sink->descriptor, (off_t)file->allocated) != 0) {
        file->sink->failure = errno;
    }
    file->end = file->allocated;
    return 0;
}

static hid_t sink_driver(void) {
    static H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 2)
        .version = H5FD_CLASS_VERSION,
        .value = H5_VFD_RESERVED,
#endif
        .name = "sink",
        .fc_degree = H5F_CLOSE_STRONG,
        .fapl_size = sizeof(storage_h5_sink *),
        .open = sink_open,
        .close = sink_close,
        .cmp = sink_compare,
        .query = sink_query,
        .get_eoa = sink_get_allocated,
        .set_eoa = sink_set_allocated,
        .get_eof = sink_get_end,
        .get_handle = sink_get_handle,
        .read = sink_read,
        .write = sink_write,
        .truncate = sink_truncate,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
    static hid_t registered = -1;
    driver.maxaddr = highest_address;
    if (registered < 0) registered = H5FDregister(&driver);
    return registered;
}

hid_t storage_h5_create(storage_h5_sink *sink) {
    hid_t access = storage_h5_property_list(STORAGE_H5_FILE_ACCESS);
    hid_t creation = storage_h5_property_list(STORAGE_H5_FILE_CREATION);
    hid_t driver = sink_driver();
    hid_t file = -1;
    if (access >= 0 && creation >= 0 && driver >= 0 && H5Pset_driver(access, driver, &sink) >= 0) {
        file = H5Fcreate("sink", H5F_ACC_TRUNC, creation, access);
    }
    // Closing would wipe the message of a failure above only if it failed itself.
    if (access >= 0) H5Pclose(access);
    if (creation >= 0) H5Pclose(creation);
    return file;
}

hid_t storage_h5_open(const char *path) {
    hid_t access = storage_h5_property_list(STORAGE_H5_FILE_ACCESS);
    if (access < 0) return access;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    hid_t stack = file < 0 ? H5Eget_current_stack() : -1;
    H5Pclose(access);
    if (stack >= 0) H5Eset_current_stack(stack);
    return file;
}

// MARK: Links and attributes

int storage_h5_is_hard_link(hid_t group, const char *name) {
    H5L_info_t info;
    if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0) return -1;
    return info.type == H5L_TYPE_HARD;
}

ssize_t storage_h5_member_name(hid_t group, hsize_t index, char *buffer, size_t capacity) {
    unsigned order = 0;
    hid_t creation = H5Gget_create_plist(group);
    if (creation < 0) return -1;
    herr_t known = H5Pget_link_creation_order(creation, &order);
    H5Pclose(creation);
    H5_index_t by = known >= 0 && (order & H5P_CRT_ORDER_TRACKED) ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
    return H5Lget_name_by_idx(group, ".", by, H5_ITER_INC, index, buffer, capacity, H5P_DEFAULT);
}

long long storage_h5_member_count(hid_t group) {
    H5G_info_t info;
    return H5Gget_info(group, &info) < 0 ? -1 : (long long)info.nlinks;
}

ssize_t storage_h5_attribute_name(hid_t object, hsize_t index, char *buffer, size_t capacity) {
    return H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, index, buffer, capacity, H5P_DEFAULT);
}

long long storage_h5_attribute_count(hid_t object) { return H5Aget_num_attrs(object); }
