import TensorCore
import TestSupport
import Testing

/// Every operation of the CPU against ``ReferenceBackend``: primitive ones against plain loops, fused ones against what is
/// composed of those.
@Suite struct ReferenceBackendTests {
    private static let reference = ReferenceBackend()
    private static let types: [DType] = [.float32, .bfloat16, .float16]

    @Test(arguments: FusedOperation.table) func fusedOperations(operation: FusedOperation) throws {
        var worst: [DType: Double] = [:]
        for dtype in operation.isGeneral ? Self.types : [.float32] {
            let inputs = operation.samples().map { $0.converted(to: dtype) }
            let wanted = operation.apply(Self.reference, inputs)
            #expect(!wanted.isEmpty)
            for kernels in MatrixKernels.available {
                for layout in operation.isGeneral ? Layout.allCases : [.dense] {
                    let found = operation.apply(
                        CPUBackend(matrixKernels: kernels), inputs.map { $0.laidOut(layout) })
                    #expect(found.count == wanted.count)
                    for (place, (a, b)) in zip(found, wanted).enumerated() {
                        guard let b else {
                            #expect(a == nil, "result \(place)")
                            continue
                        }
                        let a = try #require(a, "result \(place)")
                        #expect(a.dtype == b.dtype && a.isContiguous && b.isContiguous, "result \(place)")
                        let error = a.error(from: b)
                        worst[dtype] = max(worst[dtype] ?? 0, error)
                        #expect(
                            error <= operation.tolerance(dtype),
                            "result \(place), \(dtype), \(layout), \(kernels): \(error)")
                    }
                }
            }
        }
        print("\(operation.name): \(Self.types.map { "\($0) \(worst[$0] ?? 0)" }.joined(separator: ", "))")
    }

    /// What is composed is itself blind to layouts, and rounds once.
    @Test(arguments: FusedOperation.table.filter(\.isGeneral)) func composedOperations(operation: FusedOperation) {
        let inputs = operation.samples()
        let dense = operation.apply(Self.reference, inputs)
        for layout in Layout.allCases where layout != .dense {
            for (a, b) in zip(operation.apply(Self.reference, inputs.map { $0.laidOut(layout) }), dense) {
                guard let a, let b else { continue }
                #expect(a.isIdentical(to: b), "\(layout)")
            }
        }
        for dtype in [DType.bfloat16, .float16] {
            let narrow = inputs.map { $0.converted(to: dtype) }
            let wide = operation.apply(Self.reference, narrow.map { $0.converted(to: .float32) })
            for (a, b) in zip(operation.apply(Self.reference, narrow), wide) {
                guard let a, let b else { continue }
                #expect(a.isIdentical(to: b.converted(to: a.dtype)), "\(dtype)")
            }
        }
    }

    private static let attentions: [AttentionSample] = [
        .init([(5, 5)], batch: 2, heads: 2, depth: 8), .init([(3, 4), (6, 6)], batch: 1, heads: 2, depth: 6),
        .init([(7, 7)], batch: 1, heads: 2, depth: 4, isCausal: true),
        .init([(5, 2)], batch: 1, heads: 1, depth: 4, isRotated: false, isCausal: true),
        .init([(4, 9)], batch: 2, heads: 2, depth: 4, hasNorms: false, bias: [2, 1, 0, 0]),
        .init([(4, 9)], batch: 2, heads: 2, depth: 5, isRotated: false, bias: [1, 2, 1, 0]),
        .init([(3, 0)], batch: 1, heads: 2, depth: 4, isRotated: false),
        .init([(0, 3), (2, 2)], batch: 1, heads: 2, depth: 4),
    ]

    @Test(arguments: types) func attention(dtype: DType) {
        var worst = AttentionErrors()
        for sample in Self.attentions {
            let narrow = sample.converted(to: dtype)
            let wanted = Device.withBackend(Self.reference) { narrow.run() }
            for kernels in MatrixKernels.available {
                for layout in Layout.allCases {
                    let found = Device.withBackend(CPUBackend(matrixKernels: kernels)) {
                        narrow.laidOut(layout).run()
                    }
                    let errors = found.errors(from: wanted)
                    worst.add(errors)
                    // Both round to 16 bits.
                    var bound = AttentionErrors.bound(dtype, kernels)
                    if dtype != .float32 { (bound.output, bound.gradient) = (2 * bound.output, 2 * bound.gradient) }
                    #expect(errors <= bound, "\(sample), \(kernels), \(layout): \(errors)")
                }
            }
        }
        print("attention by the reference, \(dtype): \(worst)")
    }

    @Test(arguments: QuantizationFormat.allCases, [DType.float32, .bfloat16])
    func quantizedFactors(format: QuantizationFormat, dtype: DType) {
        let matrix = QuantizedMatrix(.sample([6, 2 * format.blockElements], format, seed: 1))
        let x = Tensor.sample([3, 2 * format.blockElements], seed: 2).converted(to: dtype)
        let y = Tensor.sample([3, 6], seed: 3).converted(to: dtype)
        for term in [ProductTerm(x, .quantized(matrix.transposed())), ProductTerm(y, .quantized(matrix))] {
            let (found, wanted) = [CPUBackend(), Self.reference].map { (backend: any Backend) in
                backend.sumOfProducts([term], addend: nil, bias: nil, dtype: .float32)
            }.both
            let error = found.error(from: wanted)
            #expect(error <= 1e-5, "\(error)")
        }
    }

    /// The table of tensor operations, small inputs of every type.
    @Test(arguments: TensorOperation.table, types) func tensorOperations(operation: TensorOperation, dtype: DType) {
        let inputs = operation.samples(operation.small).map { $0.converted(to: dtype) }
        let wanted = Device.withBackend(Self.reference) { operation.apply(inputs) }
        for (a, b) in zip(operation.apply(inputs), wanted) {
            #expect(a.dtype == b.dtype)
            let error = a.error(from: b)
            let tolerance: Double = dtype == .float32 ? 3e-6 : dtype == .float16 ? 2e-3 : 0.02
            #expect(error <= tolerance, "\(error)")
        }
    }

    /// All that holds for the rows of that table holds on the reference too.
    @Test(arguments: TensorOperation.table) func tensorOperationTests(operation: TensorOperation) {
        Device.withBackend(Self.reference) {
            let tests = TensorOperationTests()
            tests.layoutsDoNotMatter(operation: operation)
            tests.inputsAreNotWritten(operation: operation)
            if operation.roundsOnce {
                for dtype in [DType.bfloat16, .float16] {
                    tests.narrowTypesRoundOnce(operation: operation, dtype: dtype)
                }
            }
        }
    }

    /// Copies between all types are those of the CPU, bit for bit.
    @Test(arguments: DType.allCases, DType.allCases) func conversions(from: DType, to: DType) {
        let values: [Float] = [
            0, -0.0, 1, -1, 0.5, 2.5, 255, 256, 300.7, -3.99, 65504, 65520, 70000, 1e-8, 3e9, -3e9, 1e20, -1e20,
            .infinity, -.infinity, .nan, 1.00390625, 1.01171875,
        ]
        let x = CPUBackend().copy(Tensor(values, [values.count]), as: from)
        let (found, wanted) = (CPUBackend().copy(x, as: to), Self.reference.copy(x, as: to))
        // NaN is NaN, whatever its bits.
        #expect(found.dtype == wanted.dtype)
        for (a, b) in zip(found.floats, wanted.floats) { #expect(a == b || a.isNaN && b.isNaN, "\(a), \(b)") }
        let whole = Tensor([Int64.max, .min, 1 << 40 + 1, -7], [4])
        #expect(CPUBackend().copy(whole, as: to).isIdentical(to: Self.reference.copy(whole, as: to)))
    }

    @Test func extremesOfRows() {
        let x = Tensor([1, 3, 3, -.infinity, -.infinity, -.infinity, .nan, 1, 2, 0, 0, 0] as [Float], [4, 3])
        for backend in [CPUBackend(), Self.reference] as [any Backend] {
            #expect(backend.argmax(x).elements(as: Int32.self) == [1, 0, 0, 0])
            #expect(
                backend.topKMask(x.sliced(axis: 0, 0..<2), k: 2).elements(as: Bool.self)
                    == [false, true, true, true, true, false])
            let largest = backend.reduce(.maximum, x, axes: [1]).floats
            #expect(largest[0] == 3 && largest[1] == -.infinity && largest[2].isNaN && largest[3] == 0)
        }
    }
}

/// Who writes what of the seam.
@Suite struct BackendRequirementsTests {
    private let primitive: Set<String>
    private let fused: Set<String>

    init() throws {
        primitive = try requirements(of: "PrimitiveBackend", file: "TensorCore/Backend/PrimitiveBackend.swift")
        fused = try requirements(of: "Backend", file: "TensorCore/Backend/Backend.swift")
    }

    @Test func primitiveOnesAreFew() {
        #expect(primitive.count >= 10 && primitive.count <= 20, "\(primitive.sorted())")
        #expect(fused.count > 30 && fused.isDisjoint(with: primitive), "\(fused.sorted())")
    }

    @Test func everyFusedOneHasADefault() throws {
        let composed = try declaredFunctions(in: "TensorCore/Backend/Composed")
        #expect(composed == fused, "\(composed.symmetricDifference(fused).sorted())")
    }

    /// The CPU falls back on no default, and the profile passes all on: a default would hide what the base has.
    @Test func theCPUAndTheProfileWriteAll() throws {
        let cpu = try declaredFunctions(in: "TensorCore/Backend/CPU")
        #expect(primitive.union(fused).subtracting(cpu).sorted() == [])
        let profile = try declaredFunctions(in: "TensorCore/Backend", file: "ProfilingBackend.swift")
        #expect(primitive.union(fused).subtracting(profile).sorted() == [])
    }

    @Test func theReferenceWritesThePrimitiveOnesAlone() throws {
        let reference = try declaredFunctions(in: "../Tests/TestSupport", file: "ReferenceBackend.swift")
        #expect(reference == primitive, "\(reference.symmetricDifference(primitive).sorted())")
    }

    @Test func everyFusedOneIsComparedWithTheReference() {
        let covered = Set(FusedOperation.table.flatMap(\.covers))
        // Attention has samples of its own.
        let attentions = fused.filter { $0.hasPrefix("attention") }
        #expect(attentions.count == 2)
        #expect(fused.subtracting(attentions) == covered, "\(fused.symmetricDifference(covered).sorted())")
    }
}

extension [Tensor] {
    fileprivate var both: (Tensor, Tensor) { (self[0], self[1]) }
}
