import TensorCore
import TensorIO

/// Reads what an adapter file has for one place in the model.
struct AdapterLayerReader {
    private let file: AdapterReader
    /// The layer's name in the file.
    private let layer: String
    private let place: AdapterPlaces.Place
    private let keys: [AdapterKey.Role: String]

    init(
        _ file: AdapterReader, _ layer: String, _ place: AdapterPlaces.Place, _ keys: [AdapterKey.Role: String]
    ) {
        self.file = file
        self.layer = layer
        self.place = place
        self.keys = keys
    }

    private var path: String { file.archive.path }

    /// The weights of each of the model's layers. Throws ``FileError``.
    func weights() throws -> [(name: String, weights: AdapterWeights)] {
        let experts = try countExperts()
        guard place.isPlain else {
            if let key = experts.map({ _ in keys.values.sorted()[0] }) ?? keys[.route] ?? keys[.pooledRoute] {
                throw FileError(
                    path, key: key, expected: "a plain LoRA for a layer that the model keeps in parts",
                    found: "a mixture of experts")
            }
            let (a, b, alpha) = try lora()
            return FusedLoRA(a: a, b: b, alpha: alpha).split(place)
        }
        guard let experts else {
            if let key = keys[.route] ?? keys[.pooledRoute] {
                throw FileError(path, key: key, expected: "experts for the router", found: "a plain LoRA")
            }
            let (a, b, alpha) = try lora()
            return [(place.parts[0].name, .lora(a: a, b: b, alpha: alpha))]
        }
        return [(place.parts[0].name, try mixture(experts))]
    }

    private func lora() throws -> (a: Tensor, b: Tensor, alpha: Float) {
        let a = try incoming(.a(expert: nil), rows: nil)
        let b = try matrix(.b(expert: nil), rows: place.outputs, columns: a.shape[0])
        return (a, b, try alpha(rank: a.shape[0]))
    }

    private func mixture(_ experts: Int) throws -> AdapterWeights {
        let route = try incoming(.route, rows: experts)
        let options = try options(experts: experts)
        var pooledRoute: Tensor?
        if options.input == .tokenAndPooledText {
            guard let width = file.pooledWidth else { throw AdapterError.unknownPooledWidth }
            pooledRoute = try matrix(.pooledRoute, rows: experts, columns: width)
        }
        var (ways, backs): ([Tensor], [Tensor]) = ([], [])
        for expert in 0..<experts {
            ways.append(try incoming(.a(expert: expert), rows: ways.first?.shape[0]))
            backs.append(try matrix(.b(expert: expert), rows: place.outputs, columns: ways[0].shape[0]))
        }
        return .mixture(
            a: Tensor.concatenated(ways, axis: 0), b: Tensor.concatenated(backs, axis: 1), route: route,
            pooledRoute: pooledRoute, alpha: try routing?.alpha ?? alpha(rank: ways[0].shape[0]), options: options)
    }

    /// What this toolkit noted of the layer's mixture.
    private var routing: RoutingMetadata? { file.routings[place.parts[0].name] }

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
        if let found = routing?.experts, found != last + 1 {
            throw FileError(
                path, key: "\(RoutingMetadata.headerKey), \(layer)",
                expected: "\(last + 1) experts as in the tensors",
                found: "\(found)")
        }
        return last + 1
    }

    private func options(experts: Int) throws -> RoutingOptions {
        let seen: RouterInput = keys[.pooledRoute] == nil ? .token : .tokenAndPooledText
        var options = file.routing ?? routing?.options ?? .upstream
        // Without a word in the file the tensors speak.
        if file.routing == nil, routing == nil { options.input = seen }
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
        guard let key = keys[.alpha] else { return file.header.peft.alpha(layer: layer, rank: rank) }
        return try file.archive.adapterAlpha(key)
    }

    /// A matrix that takes the layer's inputs; see ``AdapterNaming/Entrance`` for one that takes fewer of them.
    private func incoming(_ role: AdapterKey.Role, rows: Int?) throws -> Tensor {
        guard let entrance = file.naming.entrance, place.isEntrance(entrance), let key = keys[role],
            let found = file.archive.info(key)?.shape, found.rank >= 2, found[1] != place.inputs
        else { return try matrix(role, rows: rows, columns: place.inputs) }
        if found[1] == entrance.shared, entrance.shared < place.inputs {
            return try matrix(role, rows: rows, columns: found[1]).padded(
                low: [0, 0], high: [0, place.inputs - found[1]])
        }
        let owner = entrance.owners[found[1]].map { ", an adapter of \($0)" } ?? ""
        let own = entrance.owners[place.inputs].map { " of \($0)" } ?? ""
        throw FileError(
            path, key: printable(key), expected: "the \(place.inputs) inputs\(own)", found: "\(found[1])\(owner)")
    }

    /// What was done to place an adapter of a relative's entrance, in a sentence; nil where nothing was.
    var notice: String? {
        guard let entrance = file.naming.entrance, place.isEntrance(entrance), entrance.shared < place.inputs,
            let key = keys.first(where: { if case .a = $0.key { true } else { false } })?.value,
            file.archive.info(key)?.shape.dimensions.dropFirst().first == entrance.shared
        else { return nil }
        let owner = entrance.owners[entrance.shared].map { ", as in \($0)" } ?? ""
        return "\(path): '\(layer)' has \(entrance.shared) inputs\(owner): they are placed on the first of the model's "
            + "\(place.inputs), which are the latents"
    }

    /// A matrix in `float32`; nil leaves the number of rows to the file, at least one. Extents of 1 may follow, as kohya
    /// writes layers that are kept as 1 x 1 convolutions.
    private func matrix(_ role: AdapterKey.Role, rows: Int?, columns: Int) throws -> Tensor {
        guard let key = keys[role] else {
            throw FileError(
                path, key: key(role), expected: "a tensor beside '\(keys.values.sorted()[0])'", found: "none")
        }
        let stored = try file.archive.tensor(key)
        let found = stored.shape
        guard found.rank >= 2, found.dimensions.dropFirst(2).allSatisfy({ $0 == 1 }),
            rows.map({ found[0] == $0 }) ?? (found[0] > 0), found[1] == columns
        else {
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
        let numbers = stored.dtype == .float32 ? stored.copied() : stored.converted(to: .float32)
        return numbers.reshaped(to: [found[0], found[1]])
    }

    /// The key that a tensor beside the others of its layer would have, in the file's own way.
    private func key(_ role: AdapterKey.Role) -> String {
        guard let other = keys.values.sorted().first, let parsed = try? AdapterKey(other, path: path) else {
            return "\(file.naming.component).\(layer).\(role.ending)"
        }
        return
            "\(parsed.stem).\(other.contains("lora_down") || other.contains("lora_up") ? role.kohyaEnding : role.ending)"
    }
}

extension TensorArchive {
    /// The alpha that stands beside an adapter's weights, of any type of numbers. Throws ``FileError`` when it is not one
    /// finite number.
    func adapterAlpha(_ key: String) throws -> Float {
        let value = try tensor(key)
        guard value.count == 1, value.dtype != .bool, value.scalar.isFinite else {
            let what = value.count == 1 && value.dtype != .bool ? "\(value.scalar)" : "\(value.dtype) \(value.shape)"
            throw FileError(path, key: printable(key), expected: "one finite number", found: what)
        }
        return value.scalar
    }
}
