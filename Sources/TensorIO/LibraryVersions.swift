import CStorage

/// The versions of the libraries that read and write files.
public enum LibraryVersions {
    /// Each library's name and version.
    public static var all: [(name: String, version: String)] {
        let readers: [(String, (UnsafeMutablePointer<CChar>) -> Void)] = [
            ("HDF5", { text in HDF5Library.locked { storage_hdf5_version(text) } }),
            ("libpng", { storage_png_version($0) }),
            ("libjpeg", { storage_jpeg_version($0) }),
        ]
        return readers.map { name, read in
            let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
                read(buffer.baseAddress!)
                return String(cString: buffer.baseAddress!)
            }
            return (name, text)
        }
    }
}
