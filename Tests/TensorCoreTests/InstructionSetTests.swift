import Foundation
import TensorCore
import TestSupport
import Testing

/// Every kernel on every instruction set of this processor against plain loops with the C library's functions. The
/// choice is the process's, so that each test that makes it runs in a process of its own.
@Suite struct InstructionSetTests {
    @Test func theBestIsUsedUnlessTheEnvironmentLowersIt() {
        #expect(InstructionSet.available.first == .scalar)
        #expect(InstructionSet.available.contains(InstructionSet.current))
        let wish = ProcessInfo.processInfo.environment["DIPTYCH_ISA"].flatMap(InstructionSet.init(rawValue:))
        #expect(InstructionSet.current == min(wish ?? .avx512, InstructionSet.best))
    }

    @Test func theEnvironmentLowersTheSet() async {
        await #expect(processExitsWith: .success) {
            setenv("DIPTYCH_ISA", "scalar", 1)
            #expect(InstructionSet.current == .scalar)
        }
    }

    /// Runs `body` with every set in turn.
    static func onEverySet(_ body: (InstructionSet) -> Void) {
        for set in InstructionSet.available {
            InstructionSet.force(set)
            #expect(InstructionSet.current == set)
            body(set)
        }
    }

    /// Units in the last place of `expected` as a `Float`.
    static func ulps(_ found: Float, _ expected: Double) -> Double {
        let rounded = Float(expected)
        if rounded.isInfinite || expected.isNaN || !found.isFinite {
            return found == rounded || (found.isNaN && expected.isNaN) ? 0 : .infinity
        }
        return abs(Double(found) - expected) / Double(rounded.ulp)
    }

    /// Floats of every magnitude and sign, evenly over their bits.
    static func sweep(_ range: ClosedRange<Float>) -> [Float] {
        stride(from: 0, to: 1 << 32, by: 14_983).map { Float(bitPattern: UInt32($0)) }.filter { range ~= $0 }
    }

    struct Bound: Sendable {
        var operation: UnaryOperation
        var range: ClosedRange<Float>
        var ulps: Double
        var value: @Sendable (Double) -> Double
    }

    /// The tails of the last four are as wrong as the rounding of the exponent's argument makes them.
    static let bounds: [Bound] = [
        Bound(operation: .exponential, range: -110...100, ulps: 1.1) { exp($0) },
        Bound(operation: .logarithm, range: 0...Float.greatestFiniteMagnitude, ulps: 0.9) { log($0) },
        Bound(operation: .squareRoot, range: 0...Float.greatestFiniteMagnitude, ulps: 0.5001) { $0.squareRoot() },
        Bound(operation: .tanh, range: -100...100, ulps: 1.5) { tanh($0) },
        Bound(operation: .sigmoid, range: -103...100, ulps: 2.3) { logistic($0) },
        Bound(operation: .silu, range: -86...100, ulps: 3) { $0 * logistic($0) },
        Bound(operation: .gelu, range: -13...100, ulps: 10) { $0 * 0.5 * erfc(-$0 / 2.0.squareRoot()) },
        Bound(operation: .geluTanh, range: -3...100, ulps: 12) {
            $0 * logistic(2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))
        },
        Bound(operation: .quickGelu, range: -3...100, ulps: 8) { $0 * logistic(1.702 * $0) },
    ]

    static func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    @Test func functionsKeepTheirLastDigits() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { set in
                for bound in InstructionSetTests.bounds {
                    let x = InstructionSetTests.sweep(bound.range)
                    #expect(x.count > 50_000)
                    let y = Tensor(x, [x.count]).applying(bound.operation).floats
                    var worst = (ulps: 0.0, x: Float(0))
                    for (x, y) in zip(x, y) {
                        let error = InstructionSetTests.ulps(y, bound.value(Double(x)))
                        if !(error <= worst.ulps) { worst = (error, x) }
                    }
                    #expect(worst.ulps <= bound.ulps, "\(set) \(bound.operation): \(worst.ulps) at \(worst.x)")
                }
            }
        }
    }

    @Test func slopesAreDerivatives() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { set in
                for bound in InstructionSetTests.bounds where ![.logarithm, .squareRoot].contains(bound.operation) {
                    let x = InstructionSetTests.sweep(-20...20)
                    let one = Tensor(full: [x.count], 1)
                    let y = Tensor(x, [x.count]).applyingGradient(bound.operation, gradient: one).floats
                    var worst = 0.0
                    for (x, y) in zip(x, y) {
                        let (x, h) = (Double(x), 1e-5)
                        let slope = (bound.value(x + h) - bound.value(x - h)) / (2 * h)
                        worst = max(worst, abs(Double(y) - slope) / max(1, abs(slope)))
                    }
                    #expect(worst <= 4e-7, "\(set) \(bound.operation): \(worst)")
                }
            }
        }
    }

    @Test func specialNumbers() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { set in
                let (infinity, nan) = (Float.infinity, Float.nan)
                let x: [Float] = [-infinity, -1e30, -0.0, 0, 1e30, infinity]
                func values(_ operation: UnaryOperation) -> [Float] {
                    Tensor(x, [x.count]).applying(operation).floats
                }
                #expect(values(.exponential) == [0, 0, 1, 1, infinity, infinity])
                #expect(Array(values(.logarithm)[2...3]) == [-infinity, -infinity])
                #expect(values(.logarithm)[5] == infinity && values(.logarithm)[1].isNaN)
                #expect(values(.tanh) == [-1, -1, 0, 0, 1, 1] && values(.tanh)[2].sign == .minus)
                #expect(values(.sigmoid) == [0, 0, 0.5, 0.5, 1, 1])
                for operation in [UnaryOperation.silu, .gelu, .geluTanh, .quickGelu] {
                    #expect(Array(values(operation)[1...]) == [0, 0, 0, 1e30, infinity], "\(set) \(operation)")
                }
                #expect(values(.relu) == [0, 0, 0, 0, 1e30, infinity])
                let some = Tensor([Float](repeating: nan, count: 19), [19])
                for operation in UnaryOperation.allCases {
                    #expect(some.applying(operation).floats.allSatisfy { $0.isNaN }, "\(set) \(operation)")
                }
                let least = Float.leastNonzeroMagnitude
                #expect(Tensor([least], [1]).applying(.logarithm).scalar == Float(log(Double(least))))
                #expect(InstructionSetTests.ulps(Tensor(-100).applying(.exponential).scalar, exp(-100)) <= 1)
            }
        }
    }

    /// Results of an element must not depend on where it lies: vectors, what is left after them, and threads.
    @Test func placesDoNotMatter() async {
        await #expect(processExitsWith: .success) {
            let (x, g) = (Tensor.sample([67], seed: 1, -4...4), Tensor.sample([67], seed: 2))
            InstructionSetTests.onEverySet { set in
                for operation in UnaryOperation.allCases {
                    let (y, dx) = (x.applying(operation), x.applyingGradient(operation, gradient: g))
                    for (start, end) in [(0, 1), (1, 17), (3, 18), (5, 67), (50, 66), (40, 40)] {
                        let part = x.sliced(axis: 0, start..<end)
                        #expect(
                            part.applying(operation).isIdentical(to: y.sliced(axis: 0, start..<end).copied()),
                            "\(set) \(operation) \(start)")
                        let slope = part.applyingGradient(operation, gradient: g.sliced(axis: 0, start..<end))
                        #expect(
                            slope.isIdentical(to: dx.sliced(axis: 0, start..<end).copied()),
                            "\(set) gradient of \(operation) \(start)")
                    }
                }
            }
        }
    }

    @Test func conversionsOfSixteenBits() async {
        await #expect(processExitsWith: .success) {
            let bits = (0...UInt16.max).map { $0 }
            let floats =
                InstructionSetTests.sweep(-Float.infinity...Float.infinity)
                + [.nan, -.nan, Float(bitPattern: 0x7F80_0001), 65519.99, 65520, 1.003_906_25, 1.011_718_75, 2.98e-8]
            let values = Tensor(floats, [floats.count])
            InstructionSetTests.onEverySet { set in
                let wide = Tensor(bits.map { BFloat16(bitPattern: $0) }, [1 << 16]).converted(to: .float32)
                #expect(wide.elements(as: Float.self).map(\.bitPattern) == bits.map { UInt32($0) << 16 })
                let narrow = values.converted(to: .bfloat16).elements(as: BFloat16.self)
                #expect(narrow == floats.map { BFloat16($0) }, "\(set)")
                let half = values.converted(to: .float16).elements(as: Float16.self)
                #expect(
                    Swift.zip(half, floats).allSatisfy { $0 == Float16($1) || ($0.isNaN && $1.isNaN) }, "\(set)")
                let halves = bits.map { Float16(bitPattern: $0) }
                let single = Tensor(halves, [1 << 16]).converted(to: .float32).elements(as: Float.self)
                #expect(Swift.zip(single, halves).allSatisfy { $0 == Float($1) || ($0.isNaN && $1.isNaN) }, "\(set)")
            }
        }
    }

    /// Everything that has no product before its sum is the same on all sets, bit for bit; the rest differs by
    /// roundings.
    @Test func setsAgree() async {
        await #expect(processExitsWith: .success) {
            func results() -> (same: [Tensor], close: [Tensor]) {
                let (x, g) = (Tensor.sample([37, 53], seed: 1, -3...3), Tensor.sample([37, 53], seed: 2))
                let w = Tensor.sample([53], seed: 3)
                let state = (0..<3).map { Tensor.sample([53], seed: UInt64(10 + $0), 0...1) }
                Device.backend.adamWStep(
                    state[0], gradient: w, first: state[1], second: state[2],
                    options: AdamWStepOptions(
                        learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1,
                        biasCorrection1: 0.1, biasCorrection2: 0.01))
                let norm = Device.backend.layerNormGradient(
                    x, weight: w, epsilon: 1e-6, gradient: g, needsInput: true, needsParameters: true)
                let columns = [Reduction.sum, .mean, .maximum].flatMap { reduction in
                    [[0], [1], [0, 1]].map { Device.backend.reduce(reduction, x, axes: $0) }
                }
                let same = state + columns + BinaryOperation.allCases.map { Tensor.applying($0, x, g) }
                let norms = [
                    x.layerNorm(weight: w, bias: w, epsilon: 1e-6), x.rmsNorm(weight: w, epsilon: 1e-6), norm.input!,
                    norm.weight!, norm.bias!, x.affine(scale: 0.3, shift: 0.7),
                ]
                return (same + norms, [x.softmax()] + UnaryOperation.allCases.map { x.applying($0) })
            }
            InstructionSet.force(.scalar)
            let scalar = results()
            InstructionSetTests.onEverySet { set in
                let found = results()
                for (place, pair) in Swift.zip(found.same, scalar.same).enumerated() {
                    #expect(pair.0.isIdentical(to: pair.1), "\(set) \(place)")
                }
                for (place, pair) in Swift.zip(found.close, scalar.close).enumerated() {
                    let error = pair.0.error(from: Reference(pair.1).values)
                    #expect(error <= 1e-6, "\(set) \(place): \(error)")
                }
            }
        }
    }
}
