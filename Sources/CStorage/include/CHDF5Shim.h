#pragma once
#include <hdf5.h>
#include <stddef.h>

// What HDF5 offers only as C macros, and a file driver of our own. Callers hold one lock around every call: Debian's
// library is not safe for threads.

#ifdef __cplusplus
extern "C" {
#endif

/// Starts the library and stops it from printing its errors. Cheap after the first time.
void storage_h5_start(void);

/// The innermost message of the failure that happened last, cut to fit; empty when there was none.
void storage_h5_message(char *buffer, size_t capacity);

typedef enum {
    STORAGE_H5_FLOAT16,
    STORAGE_H5_FLOAT32,
    STORAGE_H5_FLOAT64,
    STORAGE_H5_UINT8,
    STORAGE_H5_UINT16,
    STORAGE_H5_INT32,
    STORAGE_H5_INT64,
    STORAGE_H5_UINT64,
    STORAGE_H5_STRING
} storage_h5_element;

/// A type for files and, on little-endian machines, for memory: little-endian numbers, IEEE half precision,
/// variable-length UTF-8 strings. Belongs to the library; never to be closed by callers.
hid_t storage_h5_type(storage_h5_element element);

/// A fresh type of UTF-8 strings of `width` bytes, shorter ones padded with zeros; to be closed by the caller.
hid_t storage_h5_fixed_string(size_t width);

typedef enum {
    STORAGE_H5_FILE_ACCESS,
    STORAGE_H5_FILE_CREATION,
    STORAGE_H5_GROUP_CREATION,
    STORAGE_H5_DATASET_CREATION,
    STORAGE_H5_LINK_CREATION
} storage_h5_properties;

/// A fresh list of properties, to be closed by the caller. Files close all that is open in them; creation keeps the order
/// of members and no time stamps; links make their missing groups and have UTF-8 names.
hid_t storage_h5_property_list(storage_h5_properties kind);

/// Where a file that is being written goes, and the first error of the system in writing it (0 while there is none).
typedef struct {
    int descriptor;
    int failure;
} storage_h5_sink;

/// Creates a file in an open, empty descriptor.
///
/// HDF5 1.10 cannot close a file whose last pages do not fit on the disk, and brings the process down at exit. So this
/// driver refuses nothing: it notes the first failed write in `sink` and swallows all that follow. The caller looks at
/// `sink->failure` and throws the file away. `sink` must live until the file is closed.
hid_t storage_h5_create(storage_h5_sink *sink);

/// Opens an existing file for reading.
hid_t storage_h5_open(const char *path);

/// Whether the library comes through opening everything in a file, tried in a process of its own: 0 when it ends that
/// process or keeps it busy without end. `reads_elements` also reads datasets of numbers; texts are always read.
int storage_h5_survives(const char *path, size_t byte_count, int reads_elements);

/// 1 for a hard link, 0 for a soft, external or user-defined one, negative when there is none.
int storage_h5_is_hard_link(hid_t group, const char *name);

/// The length of the name of member `index`, in order of creation where that is known, else by name; negative for an
/// error. Up to `capacity - 1` bytes of it are copied.
ssize_t storage_h5_member_name(hid_t group, hsize_t index, char *buffer, size_t capacity);

/// The number of members, negative for an error.
long long storage_h5_member_count(hid_t group);

/// Names of attributes in the same way.
ssize_t storage_h5_attribute_name(hid_t object, hsize_t index, char *buffer, size_t capacity);

/// The number of attributes, negative for an error.
long long storage_h5_attribute_count(hid_t object);

#ifdef __cplusplus
}
#endif
