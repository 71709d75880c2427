import Adapters
import Foundation
import InContextEdit
import Models
import TensorIO

/// `adapter.start_from`: a run that begins with weights that were trained before.
extension AdapterTask {
    /// Replaces fresh weights by those at `path`: an adapter's file in any layout, a checkpoint, or a run's folder, of which
    /// the latest checkpoint counts. Gives what a user should know, one sentence each.
    ///
    /// Throws `FileError` for a file that cannot be read, ``ConfigurationError`` with every key by which the adapters
    /// differ.
    static func begin(_ adapters: AdapterSet, from path: String, in transformer: FluxTransformer) throws -> [String] {
        let start = try start(path, transformer)
        let beginning: AdapterSet.Beginning
        do {
            beginning = try adapters.begin(with: start)
        } catch let error as AdapterStartError {
            throw ConfigurationError(
                error.faults.map { fault in
                    let (has, found) = (word(fault.expected), word(fault.found))
                    return .init(
                        error.path, key: fault.key,
                        message: "expected \(has) as adapter.start_from has (\(fault.layers)), found \(found)")
                })
        }
        var notices = start.notices
        for scaled in beginning.scaled {
            notices.append(
                "\(scaled.key) is \(word(scaled.found)) here, \(word(scaled.expected)) in \(start.path) (\(scaled.layers)): "
                    + "its weights are scaled to the same outputs")
        }
        for behaviour in beginning.otherBehaviours {
            notices.append("\(behaviour); with other values here the first outputs are not those of \(start.path)")
        }
        let (fresh, all) = (beginning.freshLayers, adapters.members.count)
        if !fresh.isEmpty {
            notices.append(
                "\(fresh.count) of \(all) layers are not in \(start.path) and start fresh: \(layerGroups(fresh))")
        }
        return notices.map { "adapter.start_from: \($0)" }
    }

    private static func start(_ path: String, _ transformer: FluxTransformer) throws -> AdapterStart {
        let model = transformer.configuration
        if let file = AdapterSource.safetensorsFile(path) {
            return AdapterStart(
                try AdapterFile(
                    SafetensorsFile(path: file), naming: .flux(model), pooledWidth: model.pooledProjectionDim))
        }
        let file = try RunFolder.checkpoint(at: path)
        let checkpoint = try RunCheckpoint(path: file)
        let run = try RunConfiguration.parse(checkpoint.configuration, file: file)
        return try AdapterStart(parameters: checkpoint.parameters, configuration: run.adapterConfiguration)
    }

    /// A value as the configuration spells it.
    private static func word(_ value: String) -> String { value.hasSuffix(".0") ? String(value.dropLast(2)) : value }
}

extension AdapterStartError.Fault {
    /// The configuration's key.
    fileprivate var key: String { "adapter.\(method).\(setting)" }
}
