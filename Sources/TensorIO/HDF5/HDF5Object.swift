import CStorage
import TensorCore

/// A group or a dataset: something in an HDF5 file that has a place and attributes.
public class HDF5Object: @unchecked Sendable {
    /// The place in the file, such as `/adapter/lora_A`.
    public let location: String
    let store: HDF5Store
    let handle: HDF5Handle

    init(store: HDF5Store, location: String, handle: HDF5Handle) {
        self.store = store
        self.location = location
        self.handle = handle
    }

    /// The file's path.
    public var path: String { store.path }

    var id: hid_t { handle.id }

    /// A fault at this object, or at something below it.
    func fault(_ key: String? = nil, expected: String, found: String, nearest: String? = nil) -> FileError {
        FileError(path, key: printable(key ?? location), expected: expected, found: found, nearest: nearest)
    }
}

/// The place of `name` below `location`.
func hdf5Join(_ location: String, _ name: String) -> String {
    location.hasSuffix("/") ? location + name : location + "/" + name
}
