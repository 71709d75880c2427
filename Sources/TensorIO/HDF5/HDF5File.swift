/// An HDF5 file: a tree of groups with tensors, strings and attributes.
///
///     try HDF5File.write(to: "step-100.h5") { root in
///         let adapter = try root.createGroup("adapter")
///         try adapter.write(weight, to: "lora_A")
///         try root.setAttribute("step", 100)
///     }
///     let root = try HDF5File(reading: "step-100.h5").root
///     let weight = try root.tensor("adapter/lora_A")
///
/// A file that is written appears under its name whole, at ``commit()``, or not at all. All calls into the library are
/// made one at a time, so files and objects may be shared between threads. Format: https://docs.hdfgroup.org/hdf5
///
/// Files written here carry checksums in their metadata, save for lists of very uneven texts and for the index that says where
/// a chunk lies, so most damage to them is noticed: what must not be taken for another row needs a checksum of its own. The
/// older format that other programs write has none, and libhdf5 1.10 itself crashes on some damaged files: each file is
/// therefore opened, and all of it looked at, in a process of its own first.
public final class HDF5File: Sendable {
    private let store: HDF5Store

    /// Opens an existing file for reading. Throws ``FileError`` when it is missing, truncated or no HDF5 file.
    public init(reading path: String) throws { store = try HDF5Store(reading: path) }

    /// Begins a new file that replaces `path` at ``commit()``. Throws ``FileError`` when the folder cannot be written.
    public init(creating path: String) throws { store = try HDF5Store(creating: path) }

    /// Where the file lies, or will lie.
    public var path: String { store.path }

    /// The group that holds all others. Throws ``FileError`` when the file is damaged.
    public var root: HDF5Group {
        get throws { try HDF5Group(store: store, opening: "/") }
    }

    /// Forces a new file to the disk and gives it its name; it cannot be used afterwards.
    ///
    /// Throws ``FileError``, for a full disk say, after which whatever lay at ``path`` before is untouched.
    public func commit() throws { try store.commit() }

    /// Closes the file and everything in it; a new file that was not committed is removed. Dropping the last reference to
    /// the file and its objects does the same.
    public func close() { store.close() }

    /// Runs `body` with the root of a new file and commits; when `body` throws, nothing has changed at `path`.
    public static func write<Result>(to path: String, body: (HDF5Group) throws -> Result) throws -> Result {
        let file = try HDF5File(creating: path)
        defer { file.close() }
        let result = try body(file.root)
        try file.commit()
        return result
    }
}
