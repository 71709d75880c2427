extension FuzzTarget {
    /// Every parser of files from outside.
    package static let all: [FuzzTarget] = weightFiles + storageFiles + pictures + datasets + settings + tokenizers
}
