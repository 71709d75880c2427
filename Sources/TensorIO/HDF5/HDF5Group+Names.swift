import CStorage

/// Finding members by name; all of it under the lock.
extension HDF5Group {
    /// The name, or a ``FileError`` when no member can have it.
    func checkedName(_ name: String) throws -> String {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !name.utf8.contains(0), parts.allSatisfy({ !$0.isEmpty && $0 != "." }) else {
            throw fault(
                hdf5Join(location, name), expected: "names joined by single slashes, without '.' and zero bytes",
                found: "'\(printable(name))'")
        }
        return name
    }

    /// Follows `name` as far as members exist: the path that does, and the first part that does not.
    func deepest(_ name: String) throws -> (found: String, missing: String?) {
        var found = ""
        for part in try checkedName(name).split(separator: "/") {
            let next = found.isEmpty ? String(part) : found + "/" + part
            if !found.isEmpty {
                let parent = HDF5Handle(try store.check(H5Oopen(id, found, hid_t(H5P_DEFAULT)), found, "a member"))
                guard H5Iget_type(parent.id) == H5I_GROUP else { return (found, String(part)) }
            }
            guard try store.check(H5Lexists(id, next, hid_t(H5P_DEFAULT)), next, "a list of members") > 0 else {
                return (found, String(part))
            }
            guard storage_h5_is_hard_link(id, next) == 1 else {
                throw fault(hdf5Join(location, next), expected: "a member of this file", found: "a link")
            }
            found = next
        }
        return (found, nil)
    }

    /// Opens a member; `kind` says what is expected there.
    func open(_ name: String, _ kind: String) throws -> HDF5Handle {
        let key = hdf5Join(location, name)
        let (found, missing) = try deepest(name)
        if let missing {
            var parent = self
            if !found.isEmpty {
                let handle = HDF5Handle(try store.check(H5Oopen(id, found, hid_t(H5P_DEFAULT)), key, "a member"))
                guard H5Iget_type(handle.id) == H5I_GROUP else {
                    throw fault(hdf5Join(location, found), expected: "a group", found: "a dataset")
                }
                parent = HDF5Group(store: store, location: hdf5Join(location, found), handle: handle)
            }
            let names = try parent.members
            throw fault(
                key, expected: "\(kind) of this name", found: "none among \(names.count)",
                nearest: nearestName(to: missing, among: names))
        }
        return HDF5Handle(try store.check(H5Oopen(id, name, hid_t(H5P_DEFAULT)), key, kind))
    }

    /// The place of a member that is to be made, or a ``FileError`` when there is one already.
    func newLocation(_ name: String) throws -> String {
        precondition(store.isWritable, "\(path) is open for reading only")
        let key = hdf5Join(location, name)
        let (found, missing) = try deepest(name)
        guard missing != nil else { throw fault(key, expected: "a new name", found: "a member of this name") }
        if !found.isEmpty {
            let parent = HDF5Handle(try store.check(H5Oopen(id, found, hid_t(H5P_DEFAULT)), key, "a group"))
            guard H5Iget_type(parent.id) == H5I_GROUP else {
                throw fault(hdf5Join(location, found), expected: "a group", found: "a dataset")
            }
        }
        return key
    }

    /// Makes a dataset and the groups on the way to it.
    func create(
        _ name: String, _ key: String, _ type: hid_t, _ space: HDF5Handle, _ creation: HDF5Handle
    ) throws -> HDF5Handle {
        // Groups on the way keep the order of their members too.
        let parts = name.split(separator: "/")
        if parts.count > 1 {
            let parent = parts.dropLast().joined(separator: "/")
            if try deepest(parent).missing != nil { try createGroup(parent) }
        }
        let links = try HDF5Handle(
            store.check(storage_h5_property_list(STORAGE_H5_LINK_CREATION), key, "a new dataset"))
        return HDF5Handle(
            try store.check(
                H5Dcreate2(id, name, type, space.id, links.id, creation.id, hid_t(H5P_DEFAULT)), key, "a new dataset"))
    }
}
