import TensorIO

/// What this toolkit writes beside a mixture's weights: everything that ICEdit's format leaves unsaid.
struct RoutingMetadata: Codable, Equatable {
    /// The key in the file's header; its value is a JSON object of these, by layer.
    static let headerKey = "diptych_routing"

    /// The number of experts.
    var experts: Int
    /// The scale is `alpha / rank`.
    var alpha: Float
    /// See ``RoutingOptions/topK``.
    var topK: Int
    /// See ``RoutingOptions/gate``.
    var gate: RouterGate
    /// See ``RoutingOptions/renormalizesWeights``.
    var renormalizesWeights: Bool
    /// See ``RoutingOptions/input``.
    var routerInput: RouterInput

    init(experts: Int, alpha: Float, options: RoutingOptions) {
        self.experts = experts
        self.alpha = alpha
        topK = options.topK
        gate = options.gate
        renormalizesWeights = options.renormalizesWeights
        routerInput = options.input
    }

    /// The part that a router needs.
    var options: RoutingOptions {
        RoutingOptions(topK: topK, gate: gate, renormalizesWeights: renormalizesWeights, input: routerInput)
    }

    /// Reads the header's entry; empty when there is none. Throws `FileError` when it is malformed.
    static func read(header: [String: String], path: String) throws -> [String: RoutingMetadata] {
        guard let text = header[headerKey] else { return [:] }
        do {
            return try JSONValue.decoding([String: RoutingMetadata].self, from: text.utf8)
        } catch let error as DecodingError {
            throw FileError(
                path, key: headerKey, expected: "experts, alpha, topK, gate, renormalizesWeights, routerInput by layer",
                found: describe(error))
        }
    }

    /// The header's entry.
    static func header(_ layers: [String: RoutingMetadata]) throws -> String {
        try JSONValue(encoding: layers).text(.compact.sorted)
    }

    private static func describe(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ", ")
            return path.isEmpty ? "" : " at \(path)"
        }
        switch error {
        case .keyNotFound(let key, let context): return "no '\(key.stringValue)'" + place(context)
        case .typeMismatch(_, let context), .valueNotFound(_, let context): return "another type" + place(context)
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty ? "no valid JSON" : "an unknown value" + place(context)
        @unknown default: return "another structure"
        }
    }
}
