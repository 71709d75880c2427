import NeuralNet
import TensorCore
import TensorIO

/// Reads an adapter file in the layouts of diffusers, PEFT and ICEdit for the layers of one model.
struct AdapterReader {
    let archive: any TensorArchive
    let naming: AdapterNaming
    /// The model's linear layers.
    let linears: [(name: String, linear: Linear)]
    /// The width of the model's pooled text, if known.
    let pooledWidth: Int?
    /// What to run mixtures with instead of what the file says.
    let routing: RoutingOptions?
    private let peft: PEFTMetadata
    private let routings: [String: RoutingMetadata]

    init(
        _ archive: any TensorArchive, header: [String: String], model: any Module, naming: AdapterNaming,
        pooledWidth: Int?, routing: RoutingOptions?
    ) throws {
        self.archive = archive
        self.naming = naming
        linears = model.linearLayers
        self.pooledWidth = pooledWidth
        self.routing = routing
        peft = try PEFTMetadata(header: header, naming: naming, path: archive.path)
        routings = try RoutingMetadata.read(header: header, path: archive.path)
    }

    /// All adapters of the file in the model's order. Throws ``FileError`` at the first fault.
    func layers() throws -> [AdaptedLayer] {
        var keys: [String: [AdapterKey.Role: String]] = [:]
        let names = linears.map(\.name)
        let known = Set(names)
        for key in archive.names {
            let parsed = try AdapterKey(key, naming: naming, path: archive.path)
            guard known.contains(parsed.layer) else {
                throw FileError(
                    archive.path, key: key, expected: "the name of a linear layer of the model",
                    found: "'\(parsed.layer)'", nearest: nearestName(to: parsed.layer, among: names))
            }
            if let other = keys[parsed.layer]?.updateValue(key, forKey: parsed.role) {
                throw FileError(archive.path, key: key, expected: "each tensor once", found: "'\(other)' beside it")
            }
            keys[parsed.layer, default: [:]][parsed.role] = key
        }
        if keys.isEmpty { throw FileError(archive.path, expected: "the tensors of an adapter", found: "none") }
        if let stray = routings.keys.sorted().first(where: { keys[$0]?[.route] == nil }) {
            throw FileError(
                archive.path, key: RoutingMetadata.headerKey, expected: "layers with '\(AdapterKey.Role.route.ending)'",
                found: "'\(stray)'", nearest: nearestName(to: stray, among: keys.keys))
        }
        return try linears.compactMap { name, linear in
            try keys[name].map { AdaptedLayer(name: name, weights: try LayerReader(self, name, linear, $0).weights()) }
        }
    }

    /// Reads the tensors of one layer.
    private struct LayerReader {
        let file: AdapterReader
        let layer: String
        let linear: Linear
        let keys: [AdapterKey.Role: String]

        init(_ file: AdapterReader, _ layer: String, _ linear: Linear, _ keys: [AdapterKey.Role: String]) {
            self.file = file
            self.layer = layer
            self.linear = linear
            self.keys = keys
        }

        var path: String { file.archive.path }

        func weights() throws -> AdapterWeights {
            let experts = try countExperts()
            guard let experts else {
                if let key = keys[.route] ?? keys[.pooledRoute] {
                    throw FileError(path, key: key, expected: "experts for the router", found: "a plain LoRA")
                }
                let a = try matrix(.a(expert: nil), rows: nil, columns: linear.inputDimensions)
                let b = try matrix(.b(expert: nil), rows: linear.outputDimensions, columns: a.shape[0])
                return .lora(a: a, b: b, alpha: try alpha(rank: a.shape[0]))
            }
            let route = try matrix(.route, rows: experts, columns: linear.inputDimensions)
            let options = try options(experts: experts)
            var pooledRoute: Tensor?
            if options.input == .tokenAndPooledText {
                guard let width = file.pooledWidth else { throw AdapterError.unknownPooledWidth }
                pooledRoute = try matrix(.pooledRoute, rows: experts, columns: width)
            }
            var (ways, backs): ([Tensor], [Tensor]) = ([], [])
            for expert in 0..<experts {
                ways.append(
                    try matrix(.a(expert: expert), rows: ways.first?.shape[0], columns: linear.inputDimensions))
                backs.append(
                    try matrix(.b(expert: expert), rows: linear.outputDimensions, columns: ways[0].shape[0]))
            }
            return .mixture(
                a: Tensor.concatenated(ways, axis: 0), b: Tensor.concatenated(backs, axis: 1), route: route,
                pooledRoute: pooledRoute,
                alpha: try file.routings[layer]?.alpha ?? alpha(rank: ways[0].shape[0]), options: options)
        }

        /// The number of experts, nil for a plain LoRA; each number from 0 on must be there.
        private func countExperts() throws -> Int? {
            let numbers = Set(
                keys.keys.compactMap { role -> Int? in
                    if case .a(let expert) = role { expert } else if case .b(let expert) = role { expert } else { nil }
                })
            guard let last = numbers.max() else { return nil }
            if let key = keys[.a(expert: nil)] ?? keys[.b(expert: nil)] {
                throw FileError(path, key: key, expected: "experts or a plain LoRA", found: "both")
            }
            if numbers.count != last + 1 {
                let missing = (0..<last).first { !numbers.contains($0) } ?? 0
                throw FileError(
                    path, key: key(.a(expert: missing)), expected: "experts numbered from 0 without gaps",
                    found: "expert \(last) but not expert \(missing)")
            }
            if let found = file.routings[layer]?.experts, found != last + 1 {
                throw FileError(
                    path, key: "\(RoutingMetadata.headerKey), \(layer)",
                    expected: "\(last + 1) experts as in the tensors",
                    found: "\(found)")
            }
            return last + 1
        }

        private func options(experts: Int) throws -> RoutingOptions {
            let seen: RouterInput = keys[.pooledRoute] == nil ? .token : .tokenAndPooledText
            var options = file.routing ?? file.routings[layer]?.options ?? .upstream
            // Without a word in the file the tensors speak.
            if file.routing == nil, file.routings[layer] == nil { options.input = seen }
            guard options.input == seen else {
                throw FileError(
                    path, key: key(.pooledRoute), expected: "routers that see '\(options.input.rawValue)'",
                    found: seen == .token ? "no such tensor" : "a part for the pooled text")
            }
            guard options.topK >= 1, options.topK <= experts else {
                throw FileError(
                    path, key: layer, expected: "topK between 1 and the number of experts, \(experts)",
                    found: "\(options.topK)")
            }
            return options
        }

        private func alpha(rank: Int) throws -> Float {
            guard let key = keys[.alpha] else { return file.peft.alpha(layer: layer, rank: rank) }
            let value = try file.archive.tensor(key)
            guard value.count == 1, value.dtype.isFloatingPoint, value.scalar.isFinite else {
                throw FileError(path, key: key, expected: "one finite number", found: "\(value.dtype) \(value.shape)")
            }
            return value.scalar
        }

        /// A matrix in `float32`; nil leaves the number of rows to the file, at least one.
        private func matrix(_ role: AdapterKey.Role, rows: Int?, columns: Int) throws -> Tensor {
            guard let key = keys[role] else {
                throw FileError(
                    path, key: key(role), expected: "a tensor beside '\(keys.values.sorted()[0])'", found: "none")
            }
            let stored = try file.archive.tensor(key)
            let found = stored.shape
            guard found.rank == 2, rows.map({ found[0] == $0 }) ?? (found[0] > 0), found[1] == columns else {
                throw FileError(
                    path, key: key, expected: "shape [\(rows.map { "\($0)" } ?? "r"), \(columns)]", found: "\(found)")
            }
            guard stored.dtype.isFloatingPoint else {
                throw FileError(path, key: key, expected: "a floating-point type", found: "\(stored.dtype)")
            }
            guard stored.isFinite else {
                throw FileError(path, key: key, expected: "finite numbers", found: "NaN or infinity")
            }
            // A copy even of float32: the file may change or vanish while the adapter is in use.
            return stored.dtype == .float32 ? stored.copied() : stored.converted(to: .float32)
        }

        /// A role's key as this toolkit would write it.
        private func key(_ role: AdapterKey.Role) -> String { "\(file.naming.component).\(layer).\(role.ending)" }
    }
}
