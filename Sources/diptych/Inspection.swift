import Adapters
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// What a file or folder holds, in lines; what it is, is told from its content.
struct Inspection {
    /// The most tensors to list.
    let limit: Int

    func lines(of path: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw FileError(path, expected: "a file or a folder", found: "nothing of that name")
        }
        if isFolder.boolValue { return try folder(path) }
        if path.hasSuffix(".safetensors.index.json") { return try tensors(ShardedSafetensors(indexPath: path)) }
        switch try head(of: path) {
        case let bytes where bytes.starts(with: [0x89, 0x48, 0x44, 0x46]): return try hdf5(path)
        case let bytes where bytes.starts(with: Array("GGUF".utf8)): return try gguf(path)
        case let bytes where bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) || bytes.starts(with: [0xFF, 0xD8]):
            let image = try Image(contentsOf: path)
            return ["image, \(image.width) x \(image.height)"]
        default: return try safetensors(path)
        }
    }

    private func head(of path: String) throws -> [UInt8] {
        // A pipe would keep us waiting.
        let type = try? FileManager.default.attributesOfItem(atPath: URL(filePath: path).resolvingSymlinksInPath().path)
        guard type?[.type] as? FileAttributeType == .typeRegular else {
            throw FileError(path, expected: "a file or a folder", found: "a device or pipe")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw FileError(path, expected: "a readable file", found: "one that cannot be opened")
        }
        defer { try? file.close() }
        return [UInt8]((try? file.read(upToCount: 8)) ?? Data())
    }

    // MARK: Folders

    private func folder(_ path: String) throws -> [String] {
        let file = URL(filePath: path)
        func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file.appending(path: name).path) }
        if has("model_index.json") { return try pipeline(path) }
        if PairDataset.isThere(path) { return try dataset(path) }
        if has("checkpoints") { return try hdf5(RunFolder.checkpoint(at: path)) }
        do {
            return try tensors(openTensorArchive(path))
        } catch {
            throw FileError(
                path, expected: "a pipeline folder, a run, a dataset or a folder of safetensors or GGUF",
                found: "none of them")
        }
    }

    private func pipeline(_ path: String) throws -> [String] {
        let folder = try PipelineFolder(path: path)
        var lines = ["pipeline folder, \(folder.pipelineClass)"]
        for part in PipelineFolder.Part.allCases {
            guard folder.contains(part) else {
                lines.append("  \(part): missing")
                continue
            }
            let name = folder.classes[part] ?? "unknown class"
            let archive = try? openTensorArchive(folder.folder(of: part))
            lines.append("  \(part): \(name)" + (archive.map { ", " + summary($0) } ?? ""))
            if part == .transformer,
                let configuration = try? FluxConfiguration(path: folder.folder(of: part) + "/config.json")
            {
                lines.append("    " + ModelInspection.description(of: configuration))
            }
        }
        return lines
    }

    private func dataset(_ path: String) throws -> [String] {
        let dataset = try PairDataset(path: path)
        let tasks = Dictionary(grouping: dataset.records, by: { $0.task ?? "no task" }).mapValues(\.count)
        return ["dataset, \(dataset.records.count.grouped) pairs"]
            + tasks.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "  \($0.key): \($0.value.grouped)" }
    }

    // MARK: Files

    private func safetensors(_ path: String) throws -> [String] {
        let file = try SafetensorsFile(path: path)
        let isAdapter = AdapterSummary.isAdapter(file.names)
        var lines = [isAdapter ? "adapter, safetensors, \(summary(file))" : "safetensors, \(summary(file))"]
        lines += isAdapter ? adapter(file) : ModelInspection(ScaledArchive.wrapping(file)).lines
        for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) {
            let text = value.count > 200 ? value.prefix(200) + "…" : value
            lines.append("  \(key) = \(text)")
        }
        let rows = file.entries.map { ("\($0.name)", "\($0.dtypeName) \($0.dimensions)") }
        return lines + listing(rows)
    }

    private func adapter(_ file: SafetensorsFile) -> [String] {
        do {
            return try AdapterSummary(file).lines.map { "  " + $0 }
        } catch {
            return ["  cannot be used: \(error)"]
        }
    }

    private func hdf5(_ path: String) throws -> [String] {
        let root = try HDF5File(reading: path).root
        let isCheckpoint =
            try root.hasAttribute("format") && root.attribute("format", as: String.self) == RunCheckpoint.format
        if !isCheckpoint { return try tensors(HDF5Archive(path: path)) }
        let checkpoint = try RunCheckpoint(path: path)
        let count = checkpoint.parameters.names.reduce(0) { $0 + (checkpoint.parameters.info($1)?.shape.count ?? 0) }
        var lines = [
            "checkpoint of a training run: \(path)",
            "  step \(checkpoint.step.grouped), epoch \(checkpoint.epoch), sample \(checkpoint.position) of "
                + "\(checkpoint.sampleCount.grouped), \(String(format: "%.1f", checkpoint.seconds)) s of training",
            "  adapter: \(count.grouped) parameters in \(checkpoint.parameters.names.count) tensors, beside a base of "
                + checkpoint.baseParameterCount.grouped,
            "  moving average: \(checkpoint.average == nil ? "no" : "yes")",
        ]
        if !checkpoint.routing.isEmpty { lines.append(RoutingTable(checkpoint.routing).text) }
        lines.append("configuration")
        lines += checkpoint.configuration.split(separator: "\n").map { "  " + $0 }
        lines.append("tensors")
        let rows = checkpoint.parameters.names.map { ($0, describe(checkpoint.parameters.info($0))) }
        return lines + listing(rows)
    }

    private func gguf(_ path: String) throws -> [String] {
        let file = try GGUFFile(path: path)
        var lines = ["GGUF version \(file.version), \(summary(file))"] + ModelInspection(file).lines
        for key in file.metadataKeys {
            let text = file.metadata[key]?.description ?? ""
            lines.append("  \(key) = \(text.count > 200 ? text.prefix(200) + "…" : text)")
        }
        return lines + listing(file.entries.map { ($0.name, "\($0.type) \($0.shape)") })
    }

    private func tensors(_ archive: any TensorArchive) throws -> [String] {
        ["\(archive.path): \(summary(archive))"] + ModelInspection(archive).lines
            + listing(archive.names.map { ($0, describe(archive.info($0))) })
    }

    // MARK: Words

    private func describe(_ info: TensorInfo?) -> String {
        info.map { "\($0.typeName) \($0.shape)" } ?? "unsupported type"
    }

    /// `98 tensors, 85,120 numbers (bfloat16 85,120)`.
    private func summary(_ archive: any TensorArchive) -> String {
        var counts: [String: Int] = [:]
        for name in archive.names {
            let info = archive.info(name)
            counts[info?.typeName ?? "unsupported", default: 0] += info?.shape.count ?? 0
        }
        let total = counts.values.reduce(0, +)
        let types = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.grouped)" }.joined(separator: ", ")
        return "\(archive.names.count.grouped) tensors, \(total.grouped) numbers (\(types))"
    }

    private func listing(_ rows: [(name: String, text: String)]) -> [String] {
        let shown = rows.prefix(limit)
        let width = shown.map(\.name.count).max() ?? 0
        let lines = shown.map { "  " + $0.name.padding(toLength: width, withPad: " ", startingAt: 0) + "  " + $0.text }
        return rows.count > limit ? lines + ["  and \((rows.count - limit).grouped) more (--limit 0 lists all)"] : lines
    }
}
