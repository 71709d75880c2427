import Adapters
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO

/// Tells from a file's or folder's content what it is and holds.
public struct Inspection {
    /// The file or folder, as the user named it.
    public let path: String

    /// Names what is to be looked at.
    public init(_ path: String) { self.path = path }

    /// Looks at it. Throws `FileError` when it is nothing that is known, or damaged.
    public func report() throws -> InspectionReport {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw FileError(path, expected: "a file or a folder", found: "nothing of that name")
        }
        if isFolder.boolValue { return try folder() }
        if path.hasSuffix(".safetensors.index.json") { return tensors(try ShardedSafetensors(indexPath: path)) }
        switch try head() {
        case let bytes where bytes.starts(with: [0x89, 0x48, 0x44, 0x46]): return try hdf5(path)
        case let bytes where bytes.starts(with: Array("GGUF".utf8)): return try gguf()
        case let bytes where bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) || bytes.starts(with: [0xFF, 0xD8]):
            let image = try Image(contentsOf: path)
            var report = InspectionReport(path: path, kind: .image)
            report.image = .init(width: image.width, height: image.height)
            return report
        default: return try safetensors()
        }
    }

    private func head() throws -> [UInt8] {
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

    private func folder() throws -> InspectionReport {
        let file = URL(filePath: path)
        func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file.appending(path: name).path) }
        if has("model_index.json") { return try pipeline() }
        if PairDataset.isThere(path) { return try dataset() }
        if has("checkpoints") {
            let file = try RunFolder.checkpoint(at: path)
            // Of a damaged one this says which is the one before it.
            _ = try RunCheckpoint.configuration(path: file)
            return try hdf5(file)
        }
        do {
            return tensors(try openTensorArchive(path))
        } catch {
            throw FileError(
                path, expected: "a pipeline folder, a run, a dataset or a folder of safetensors or GGUF",
                found: "none of them")
        }
    }

    private func pipeline() throws -> InspectionReport {
        let folder = try PipelineFolder(path: path)
        var report = InspectionReport(path: path, kind: .pipeline)
        let parts = PipelineFolder.Part.allCases.map { part -> InspectionReport.Pipeline.Part in
            guard folder.contains(part) else { return .init(name: part.rawValue, isThere: false) }
            let archive = try? openTensorArchive(folder.folder(of: part))
            let configuration =
                part == .transformer
                ? try? FluxConfiguration(path: folder.folder(of: part) + "/config.json") : nil
            return .init(
                name: part.rawValue, isThere: true, partClass: folder.classes[part],
                tensors: archive.map { .init($0) }, proportions: configuration.map(ModelInspection.description))
        }
        report.pipeline = .init(pipelineClass: folder.pipelineClass, parts: parts)
        return report
    }

    private func dataset() throws -> InspectionReport {
        let dataset = try PairDataset(path: path)
        var report = InspectionReport(path: path, kind: .dataset)
        report.dataset = .init(
            pairs: dataset.records.count,
            tasks: Dictionary(grouping: dataset.records.compactMap(\.task), by: { $0 }).mapValues(\.count))
        return report
    }

    // MARK: Files

    private func safetensors() throws -> InspectionReport {
        let file = try SafetensorsFile(path: path)
        let isAdapter = AdapterSummary.isAdapter(file.names)
        var report = InspectionReport(path: path, kind: isAdapter ? .adapter : .safetensors)
        if isAdapter {
            report.adapter = adapter(file)
        } else {
            ModelInspection(ScaledArchive.wrapping(file)).add(to: &report)
        }
        report.metadata = file.metadata
        report.metadataKeys = file.metadata.keys.sorted()
        report.tensors = .init(
            total: .init(file),
            list: file.entries.map { .init(name: $0.name, type: $0.dtypeName, shape: $0.dimensions) })
        return report
    }

    private func adapter(_ file: SafetensorsFile) -> InspectionReport.Adapter {
        do {
            let summary = try AdapterSummary(file)
            func texts<Key: CustomStringConvertible>(_ counts: [Key: Int]) -> [String: Int] {
                Dictionary(counts.map { ($0.key.description, $0.value) }, uniquingKeysWith: +)
            }
            return .init(
                layout: summary.format, methods: summary.methods, ranks: texts(summary.ranks),
                alphas: texts(summary.alphas),
                experts: texts(summary.experts), expertRanks: texts(summary.expertRanks), layers: summary.layers,
                lines: summary.lines)
        } catch {
            return .init(fault: "\(error)", lines: ["cannot be used: \(error)"])
        }
    }

    private func hdf5(_ file: String) throws -> InspectionReport {
        let root = try HDF5File(reading: file).root
        let isCheckpoint =
            try root.hasAttribute("format") && root.attribute("format", as: String.self) == RunCheckpoint.format
        if !isCheckpoint { return tensors(try HDF5Archive(path: file)) }
        let checkpoint = try RunCheckpoint(path: file)
        var report = tensors(checkpoint.parameters, at: file)
        report.kind = .checkpoint
        report.models = nil
        report.missing = nil
        report.checkpoint = .init(
            step: checkpoint.step, epoch: checkpoint.epoch, position: checkpoint.position,
            pairs: checkpoint.sampleCount, seconds: checkpoint.seconds, hasAverage: checkpoint.average != nil,
            baseParameters: checkpoint.baseParameterCount, routing: checkpoint.routing,
            configuration: checkpoint.configuration)
        return report
    }

    private func gguf() throws -> InspectionReport {
        let file = try GGUFFile(path: path)
        var report = InspectionReport(path: path, kind: .gguf)
        report.version = file.version
        ModelInspection(file).add(to: &report)
        report.metadata = file.metadata.mapValues(\.description)
        report.metadataKeys = file.metadataKeys
        report.tensors = .init(
            total: .init(file),
            list: file.entries.map { .init(name: $0.name, type: "\($0.type)", shape: $0.shape.dimensions) })
        return report
    }

    /// Tensors of a format that says no more of them.
    private func tensors(_ archive: any TensorArchive, at file: String? = nil) -> InspectionReport {
        var report = InspectionReport(path: path, kind: .tensors)
        report.file = file ?? archive.path
        ModelInspection(archive).add(to: &report)
        report.tensors = .init(
            total: .init(archive),
            list: archive.names.map { name in
                let info = archive.info(name)
                return .init(name: name, type: info?.typeName, shape: info?.shape.dimensions)
            })
        return report
    }
}
