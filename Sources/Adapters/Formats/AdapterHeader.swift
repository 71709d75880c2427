import Foundation
import TensorCore
import TensorIO

/// What an adapter file says of itself besides its tensors: its header, and PEFT's configuration, which stands in the header
/// or in a file beside it.
public struct AdapterHeader {
    /// The header's entries.
    let metadata: [String: String]
    /// PEFT's configuration, or what it is by default.
    let peft: PEFTMetadata
    /// Whether there is a configuration of PEFT.
    let isOfPEFT: Bool
    /// What this toolkit noted of mixtures, by layer.
    let routings: [String: RoutingMetadata]
    /// The methods' flags that PEFT's configuration sets.
    var peftFlags: Set<String> { peft.flags }
    /// What a user should know of where it was found, one sentence each.
    private(set) var notices: [String] = []

    /// The name that PEFT gives its weights.
    static let weightsName = "adapter_model.safetensors"
    private static let configurationName = "adapter_config.json"

    /// Takes `metadata`, or the archive's own header and what lies beside its file.
    ///
    /// PEFT's `adapter_config.json` belongs to every file beside it whose layers and ranks are those that it names, under
    /// whatever name: people rename `adapter_model.safetensors`. Throws `FileError` when a configuration is malformed or asks for what is
    /// not supported, or does not fit weights that have PEFT's own name.
    init(_ archive: any TensorArchive, _ metadata: [String: String]? = nil, naming: AdapterNaming) throws {
        let file = archive as? SafetensorsFile
        self.metadata = metadata ?? file?.metadata ?? [:]
        routings = try RoutingMetadata.read(header: self.metadata, path: archive.path)
        if let text = self.metadata[PEFTMetadata.headerKey] {
            peft = try PEFTMetadata(text, naming: naming, path: archive.path, key: PEFTMetadata.headerKey)
            isOfPEFT = true
            return
        }
        guard metadata == nil, let file, let (path, text) = try Self.configuration(beside: file.path),
            let ranks = try Self.ranks(in: file, naming: naming)
        else {
            peft = PEFTMetadata()
            isOfPEFT = false
            return
        }
        let hasItsName = URL(filePath: file.path).lastPathComponent == Self.weightsName
        let found = try PEFTMetadata(text, naming: naming, path: path, key: nil)
        let stranger = ranks.first {
            found.rank(layer: $0.layer) != $0.rank || !hasItsName && !found.names(layer: $0.layer)
        }
        guard let stranger else {
            peft = found
            isOfPEFT = true
            if !hasItsName { notices.append("\(file.path): alpha and its like are taken from \(path) beside it") }
            return
        }
        let (rank, layer) = (found.rank(layer: stranger.layer), printable(stranger.layer))
        if hasItsName {
            throw FileError(
                path, key: "r", expected: "the rank \(stranger.rank) of '\(layer)' in \(file.path)", found: "\(rank)")
        }
        let reason =
            rank == stranger.rank
            ? "does not name '\(layer)'" : "says rank \(rank) for '\(layer)', which has \(stranger.rank)"
        notices.append("\(path) is of another file than \(file.path), since it \(reason): it is not used")
        peft = PEFTMetadata()
        isOfPEFT = false
    }

    /// The ranks of the LoRAs that leave their alpha to a configuration; nil where there are none.
    private static func ranks(
        in file: SafetensorsFile, naming: AdapterNaming
    ) throws -> [(layer: String, rank: Int)]? {
        var ranks: [(layer: String, rank: Int)] = []
        for (stem, keys) in try AdapterKey.byLayer(file) {
            let method = AdapterMethods.claiming(keys.keys)
            guard keys[AdapterRole.alpha] == nil, let rank = method.rank(file.shapes(keys)) else { return nil }
            ranks.append((naming.stripped(stem), rank))
        }
        return ranks.isEmpty ? nil : ranks
    }

    /// The configuration beside a file; nil where there is none.
    private static func configuration(beside path: String) throws -> (path: String, text: String)? {
        let place = URL(filePath: path).deletingLastPathComponent().appending(path: configurationName).relativePath
        guard FileManager.default.fileExists(atPath: place) else { return nil }
        let file: MappedFile
        do { file = try MappedFile(path: place) } catch {
            throw FileError(place, expected: "a configuration of PEFT that can be read", found: error.reason)
        }
        guard file.byteCount <= PEFTMetadata.longestText else {
            throw FileError(
                place, expected: "at most \(PEFTMetadata.longestText) bytes", found: "\(file.byteCount)")
        }
        guard let text = String(validating: file.bytes, as: UTF8.self) else {
            throw FileError(place, expected: "a configuration of PEFT in UTF-8", found: "other bytes")
        }
        return (place, text)
    }
}
