/// Another backend with a clock on every primitive.
public struct ProfilingBackend: Backend {
    private let base: any Backend
    private let profile: Profile

    /// Measures the primitives of `base` into `profile`.
    public init(_ base: any Backend, _ profile: Profile) {
        self.base = base
        self.profile = profile
    }

    /// The measured backend's name.
    public var name: String { base.name }

    /// Measured ``Backend/copy(_:as:)``.
    public func copy(_ x: Tensor, as dtype: DType) -> Tensor {
        profile.measure(x.dtype == dtype ? "copy" : "convert") { base.copy(x, as: dtype) }
    }

    /// Measured ``Backend/assign(_:to:)``.
    public func assign(_ source: Tensor, to target: Tensor) {
        profile.measure("assign") { base.assign(source, to: target) }
    }

    /// Measured ``Backend/concatenate(_:axis:)``.
    public func concatenate(_ parts: [Tensor], axis: Int) -> Tensor {
        profile.measure("concatenate") { base.concatenate(parts, axis: axis) }
    }

    /// Measured ``Backend/pad(_:low:high:value:)``.
    public func pad(_ x: Tensor, low: [Int], high: [Int], value: Float) -> Tensor {
        profile.measure("pad") { base.pad(x, low: low, high: high, value: value) }
    }

    /// Measured ``Backend/unary(_:_:)``.
    public func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor {
        profile.measure("\(operation)") { base.unary(operation, x) }
    }

    /// Measured ``Backend/unaryGradient(_:_:gradient:)``.
    public func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor {
        profile.measure("\(operation) gradient") { base.unaryGradient(operation, x, gradient: gradient) }
    }

    /// Measured ``Backend/binary(_:_:_:)``.
    public func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        profile.measure("\(operation)") { base.binary(operation, a, b) }
    }

    /// Measured ``Backend/affine(_:scale:shift:)``.
    public func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor {
        profile.measure("affine") { base.affine(x, scale: scale, shift: shift) }
    }

    /// Measured ``Backend/compare(_:_:_:)``.
    public func compare(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor {
        profile.measure("compare") { base.compare(relation, a, b) }
    }

    /// Measured ``Backend/select(_:_:_:)``.
    public func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
        profile.measure("select") { base.select(mask, a, b) }
    }

    /// Measured ``Backend/accumulate(_:scale:into:targetScale:)``.
    public func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float) {
        profile.measure("accumulate") {
            base.accumulate(source, scale: sourceScale, into: target, targetScale: targetScale)
        }
    }

    /// Measured ``Backend/reduce(_:_:axes:)``.
    public func reduce(_ reduction: Reduction, _ x: Tensor, axes: [Int]) -> Tensor {
        profile.measure("reduce \(reduction)") { base.reduce(reduction, x, axes: axes) }
    }

    /// Measured ``Backend/topKMask(_:k:)``.
    public func topKMask(_ x: Tensor, k: Int) -> Tensor {
        profile.measure("top k") { base.topKMask(x, k: k) }
    }

    /// Measured ``Backend/argmax(_:)``.
    public func argmax(_ x: Tensor) -> Tensor {
        profile.measure("argmax") { base.argmax(x) }
    }

    /// Measured ``Backend/matrixProduct(_:_:bias:dtype:)``.
    public func matrixProduct(_ a: Tensor, _ b: Tensor, bias: Tensor?, dtype: DType) -> Tensor {
        let batches = max(a.shape.dimensions.dropLast(2).reduce(1, *), b.shape.dimensions.dropLast(2).reduce(1, *))
        let operations = 2 * Double(batches) * Double(a.shape[-2]) * Double(a.shape[-1]) * Double(b.shape[-1])
        let stack = batches > 1 ? "\(batches) of " : ""
        let name = named("matrix product", "\(stack)\(a.shape[-2]) x \(b.shape[-1]) x \(a.shape[-1])")
        return profile.measure(name, operations: operations) {
            base.matrixProduct(a, b, bias: bias, dtype: dtype)
        }
    }

    /// Measured ``Backend/sumOfProducts(_:addend:bias:dtype:)``.
    public func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor {
        let operations = terms.reduce(0) { $0 + 2 * Double($1.a.count) * Double($1.b.shape[1]) }
        return profile.measure(named("matrix product", Self.shape(of: terms)), operations: operations) {
            base.sumOfProducts(terms, addend: addend, bias: bias, dtype: dtype)
        }
    }

    /// Measured ``Backend/sumsOfProducts(_:)``.
    public func sumsOfProducts(_ sums: [ProductSum]) -> [Tensor] {
        let operations = sums.flatMap(\.terms).reduce(0) { $0 + 2 * Double($1.a.count) * Double($1.b.shape[1]) }
        let name = named("matrix products together", sums.map { Self.shape(of: $0.terms) }.joined(separator: ", "))
        return profile.measure(name, operations: operations) { base.sumsOfProducts(sums) }
    }

    /// Measured ``Backend/activatedProducts(_:bias:activation:keepsSums:dtype:)``.
    public func activatedProducts(
        _ terms: [ProductTerm], bias: Tensor?, activation: UnaryOperation, keepsSums: Bool, dtype: DType
    ) -> (activated: Tensor, sums: Tensor?) {
        let operations = terms.reduce(0) { $0 + 2 * Double($1.a.count) * Double($1.b.shape[1]) }
        let name = named("matrix product with \(activation)", Self.shape(of: terms))
        return profile.measure(name, operations: operations) {
            base.activatedProducts(terms, bias: bias, activation: activation, keepsSums: keepsSums, dtype: dtype)
        }
    }

    /// A product's name, with its rows, columns and depth where the profile shows them; they cost a step's time to spell.
    private func named(_ name: String, _ shape: @autoclosure () -> String) -> String {
        profile.showsShapes ? "\(name), \(shape())" : name
    }

    private static func shape(of terms: [ProductTerm]) -> String {
        let depths = terms.map { String($0.a.shape[1]) }.joined(separator: "+")
        return "\(terms[0].a.shape[0]) x \(terms[0].b.shape[1]) x \(depths)"
    }

    /// Measured ``Backend/softmax(_:)``.
    public func softmax(_ x: Tensor) -> Tensor { profile.measure("softmax") { base.softmax(x) } }

    /// Measured ``Backend/softmaxGradient(output:gradient:)``.
    public func softmaxGradient(output: Tensor, gradient: Tensor) -> Tensor {
        profile.measure("softmax gradient") { base.softmaxGradient(output: output, gradient: gradient) }
    }

    /// Measured ``Backend/layerNorm(_:weight:bias:epsilon:)``.
    public func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float) -> Tensor {
        profile.measure("layer norm") { base.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon) }
    }

    /// Measured ``Backend/layerNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func layerNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        profile.measure("layer norm gradient") {
            base.layerNormGradient(
                x, weight: weight, epsilon: epsilon, gradient: gradient, needsInput: needsInput,
                needsParameters: needsParameters)
        }
    }

    /// Measured ``Backend/rmsNorm(_:weight:epsilon:)``.
    public func rmsNorm(_ x: Tensor, weight: Tensor?, epsilon: Float) -> Tensor {
        profile.measure("RMS norm") { base.rmsNorm(x, weight: weight, epsilon: epsilon) }
    }

    /// Measured ``Backend/rmsNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func rmsNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        profile.measure("RMS norm gradient") {
            base.rmsNormGradient(
                x, weight: weight, epsilon: epsilon, gradient: gradient, needsInput: needsInput,
                needsParameters: needsParameters)
        }
    }

    /// Measured ``Backend/rowMoments(_:)``.
    public func rowMoments(_ x: Tensor) -> Tensor { profile.measure("row moments") { base.rowMoments(x) } }

    /// Measured ``Backend/groupMoments(_:groups:width:epsilon:)``.
    public func groupMoments(_ rows: Tensor, groups: Int, width: Int, epsilon: Float) -> Tensor {
        profile.measure("group moments") { base.groupMoments(rows, groups: groups, width: width, epsilon: epsilon) }
    }

    /// Measured ``Backend/groupNorm(_:groups:weight:bias:epsilon:)``.
    public func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        profile.measure("group norm") {
            base.groupNorm(x, groups: groups, weight: weight, bias: bias, epsilon: epsilon)
        }
    }

    /// Measured ``Backend/groupNormGradient(_:groups:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func groupNormGradient(
        _ x: Tensor, groups: Int, weight: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool,
        needsParameters: Bool
    ) -> NormGradients {
        profile.measure("group norm gradient") {
            base.groupNormGradient(
                x, groups: groups, weight: weight, epsilon: epsilon, gradient: gradient, needsInput: needsInput,
                needsParameters: needsParameters)
        }
    }

    /// Measured ``Backend/modulatedNorm(_:scale:shift:epsilon:)``.
    public func modulatedNorm(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
        profile.measure("modulated norm") { base.modulatedNorm(x, scale: scale, shift: shift, epsilon: epsilon) }
    }

    /// Measured ``Backend/modulatedNormGradient(_:scale:epsilon:gradient:needsInput:needsModulation:)``.
    public func modulatedNormGradient(
        _ x: Tensor, scale: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool, needsModulation: Bool
    ) -> (input: Tensor?, scale: Tensor?, shift: Tensor?) {
        profile.measure("modulated norm gradient") {
            base.modulatedNormGradient(
                x, scale: scale, epsilon: epsilon, gradient: gradient, needsInput: needsInput,
                needsModulation: needsModulation)
        }
    }

    /// Measured ``Backend/gatedSum(_:_:gate:)``.
    public func gatedSum(_ x: Tensor, _ y: Tensor, gate: Tensor) -> Tensor {
        profile.measure("gated sum") { base.gatedSum(x, y, gate: gate) }
    }

    /// Measured ``Backend/gateGradient(_:gradient:shape:)``.
    public func gateGradient(_ y: Tensor, gradient: Tensor, shape: Shape) -> Tensor {
        profile.measure("gate gradient") { base.gateGradient(y, gradient: gradient, shape: shape) }
    }

    /// Measured ``Backend/rotary(_:cosine:sine:inverse:)``.
    public func rotary(_ x: Tensor, cosine: Tensor, sine: Tensor, inverse: Bool) -> Tensor {
        profile.measure("rotary") { base.rotary(x, cosine: cosine, sine: sine, inverse: inverse) }
    }

    /// Measured ``Backend/attention(_:options:)``.
    public func attention(_ streams: [AttentionStream<Tensor>], options: AttentionOptions) -> AttentionResult {
        profile.measure("attention", operations: 4 * Self.products(streams)) {
            base.attention(streams, options: options)
        }
    }

    /// Measured ``Backend/attentionGradient(_:options:result:gradients:needs:)``.
    public func attentionGradient(
        _ streams: [AttentionStream<Tensor>], options: AttentionOptions, result: AttentionResult, gradients: [Tensor?],
        needs: AttentionNeeds
    ) -> [AttentionGradients] {
        profile.measure("attention gradient", operations: 10 * Self.products(streams)) {
            base.attentionGradient(streams, options: options, result: result, gradients: gradients, needs: needs)
        }
    }

    /// Measured ``Backend/convolution(_:weight:bias:options:stages:)``.
    public func convolution(
        _ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions, stages: ConvolutionStages
    ) -> Tensor {
        profile.measure("convolution") {
            base.convolution(x, weight: weight, bias: bias, options: options, stages: stages)
        }
    }

    /// Measured ``Backend/convolutionInputGradient(_:weight:inputShape:options:)``.
    public func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        profile.measure("convolution gradient") {
            base.convolutionInputGradient(gradient, weight: weight, inputShape: inputShape, options: options)
        }
    }

    /// Measured ``Backend/convolutionWeightGradient(_:gradient:weightShape:options:)``.
    public func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, weightShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        profile.measure("convolution gradient") {
            base.convolutionWeightGradient(x, gradient: gradient, weightShape: weightShape, options: options)
        }
    }

    /// Measured ``Backend/upsampleNearest(_:factor:)``.
    public func upsampleNearest(_ x: Tensor, factor: Int) -> Tensor {
        profile.measure("up-sampling") { base.upsampleNearest(x, factor: factor) }
    }

    /// Measured ``Backend/upsampleNearestGradient(_:factor:)``.
    public func upsampleNearestGradient(_ gradient: Tensor, factor: Int) -> Tensor {
        profile.measure("up-sampling gradient") { base.upsampleNearestGradient(gradient, factor: factor) }
    }

    /// Measured ``Backend/gatherRows(_:indices:)``.
    public func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor {
        profile.measure("gather") { base.gatherRows(table, indices: indices) }
    }

    /// Measured ``Backend/scatterAddRows(_:indices:rows:)``.
    public func scatterAddRows(_ updates: Tensor, indices: Tensor, rows: Int) -> Tensor {
        profile.measure("scatter") { base.scatterAddRows(updates, indices: indices, rows: rows) }
    }

    /// Measured ``Backend/adamWStep(_:gradient:first:second:options:)``.
    public func adamWStep(
        _ parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, options: AdamWStepOptions
    ) {
        profile.measure("AdamW") {
            base.adamWStep(parameter, gradient: gradient, first: first, second: second, options: options)
        }
    }

    /// Measured ``Backend/prodigyMoments(_:gradient:parameter:start:options:)``.
    public func prodigyMoments(
        _ moments: ProdigyMoments, gradient: Tensor, parameter: Tensor, start: Tensor?, options: ProdigyMomentOptions
    ) -> (correlation: Double, magnitude: Double) {
        profile.measure("Prodigy's moments") {
            base.prodigyMoments(moments, gradient: gradient, parameter: parameter, start: start, options: options)
        }
    }

    /// Measured ``Backend/prodigyStep(_:moments:decay:step:epsilon:)``.
    public func prodigyStep(_ parameter: Tensor, moments: ProdigyMoments, decay: Float, step: Float, epsilon: Float) {
        profile.measure("Prodigy") {
            base.prodigyStep(parameter, moments: moments, decay: decay, step: step, epsilon: epsilon)
        }
    }

    /// Measured ``Backend/sumOfSquares(_:)``.
    public func sumOfSquares(_ x: Tensor) -> Double {
        profile.measure("sum of squares") { base.sumOfSquares(x) }
    }

    /// Multiplications of queries with keys.
    private static func products(_ streams: [AttentionStream<Tensor>]) -> Double {
        let queries = streams.reduce(0) { $0 + $1.query.count }
        return Double(queries) * Double(streams.reduce(0) { $0 + $1.key.shape[1] })
    }
}
