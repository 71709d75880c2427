/// How a dataset lies in its file.
public struct HDF5DatasetOptions: Hashable, Sendable {
    /// The level of zlib's deflate, 1 to 9; nil stores the elements as they are.
    public var deflateLevel: Int?
    /// Whether bytes of equal significance are put together before they are deflated, which helps for numbers.
    public var shuffle: Bool
    /// Whether each chunk has a checksum (Fletcher's), so that damaged elements are noticed; deflated chunks always have.
    public var checksum: Bool
    /// Whether rows can be appended along axis 0.
    public var isResizable: Bool
    /// The shape of one chunk, the unit of compression and of partial reading; nil chooses chunks of up to 1 MiB. Datasets
    /// that are neither filtered nor resizable have chunks only if this is given.
    public var chunk: [Int]?

    /// Collects the options.
    public init(
        deflateLevel: Int? = nil, shuffle: Bool = false, checksum: Bool = false, isResizable: Bool = false,
        chunk: [Int]? = nil
    ) {
        precondition(deflateLevel.map { (1...9).contains($0) } ?? true, "deflate level \(deflateLevel ?? 0)")
        self.deflateLevel = deflateLevel
        self.shuffle = shuffle
        self.checksum = checksum
        self.isResizable = isResizable
        self.chunk = chunk
    }

    /// The elements one after the other, nothing else.
    public static let plain = HDF5DatasetOptions()
    /// Shuffled and deflated at level 4.
    public static let compressed = HDF5DatasetOptions(deflateLevel: 4, shuffle: true)

    var isChunked: Bool { deflateLevel != nil || shuffle || checksum || isResizable || chunk != nil }

    /// The chunk for a dataset of this shape: inner axes whole and few rows, outer axes halved until 1 MiB suffices.
    func chunkShape(for dimensions: [Int], elementByteCount: Int) -> [Int] {
        if let chunk { return chunk }
        // Rows to come must not each be a chunk of their own, however few there are now.
        var shape = dimensions.enumerated().map { $0 == 0 && isResizable ? max($1, 1024) : max($1, 1) }
        var axis = 0
        while shape.reduce(elementByteCount, *) > 1 << 20, axis < shape.count {
            if shape[axis] == 1 { axis += 1 } else { shape[axis] = (shape[axis] + 1) / 2 }
        }
        return shape
    }
}
